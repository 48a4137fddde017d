"""When are two questions the same but for how they are worded? The guard beside similarity.

Encoders put "with sugar" next to "without sugar", 2023 next to 2024 and a question next to its
reversal; no threshold tells them apart. So a question is reduced to its *essence*: all that
could change its answer, in order. Two questions are the same only if their essences are equal.

Dropped are the capital at the beginning of a sentence, the marks at the end, the definite
article, "do" and "is" in the present, and courtesies ("could you please tell me ..., thanks").
Put together are contractions ("can't", "cannot"), a few synonyms, and "the capital of France"
with "France's capital". Everything else is kept: numbers with their units, names (capitals inside a
sentence), negations, prepositions, tenses, plurals, marks inside, signs, quoted text. What looks
like code is compared letter by letter.
"""

from __future__ import annotations

import re

from pihub.domain.chat import Answer
from pihub.domain.drafts import agree, text_of, words

LONGEST = 2000
"""Characters of a question that is compared at all; a longer one is hardly asked twice."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBATIM = re.compile(
    r"```.*?```|`[^`]*`|\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?<!\w)'[^'\n]*'(?!\w)"
    r"|https?://\S+",
    re.DOTALL,
)
_CODE = re.compile(r"[{}=<>;\\|&^~_\[\]]|\w\(|::|^[ \t]+\S", re.MULTILINE)
"""Where every mark and space may count."""
_TOKEN = re.compile(
    r"\d+(?:[.,:/]\d+)*"  # a number, a time, a date
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*(?=[\s.,;:!?)]|$)"  # a word before a space or a mark
    r"|[\w./\\@#:'’-]*\w"  # a name of a file, an identifier, a compound
    r"|\S"  # every other sign
)
_END = re.compile(r"[\s.?!…]+$")
_SENTENCE = re.compile(r"[.!?:\n]")
_ASKED = r"(?=(?:please )?(?:tell|give|explain|show|list|write|describe|translate|convert|name)\b)"
_COURTESY = re.compile(
    r"^\s*(?:(?:hi|hello|hey|hallo|guten tag)\s*[,.!]|please\b,?|bitte\b,?"
    rf"|(?:can|could|would|will) you {_ASKED}"
    r"|i(?: would|['’]d) like to know\b|i (?:want|need) to know\b"
    r"|do you know (?=(?:who|what|when|where|why|how|which)\b)"
    r"|(?:tell|give) me\b|sag(?:e)? mir\b|what(?: is|['’]s| are)\b|was (?:ist|sind)\b)",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:[,.!?;]\s*(?:please|thanks|thank you|thx|bitte|danke|many thanks|vielen dank))+[\s.!]*$",
    re.IGNORECASE,
)
_DROPPED = {
    "en": _words("the is are do does"),
    "de": _words("der die das des dem den ist sind"),
}
_CONTRACTED = {
    "can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"),
    "isn't": ("not",), "aren't": ("not",), "don't": ("not",), "doesn't": ("not",),
    "didn't": ("did", "not"), "wasn't": ("was", "not"), "weren't": ("were", "not"),
    "shouldn't": ("should", "not"), "couldn't": ("could", "not"), "wouldn't": ("would", "not"),
    "haven't": ("have", "not"), "hasn't": ("has", "not"), "hadn't": ("had", "not"),
    "i'm": ("i",), "it's": ("it",), "that's": ("that",), "who's": ("who",),
    "where's": ("where",), "how's": ("how",), "when's": ("when",), "there's": ("there",),
    "i've": ("i", "have"), "i'd": ("i", "would"), "i'll": ("i", "will"),
    "you're": ("you",), "they're": ("they",), "we're": ("we",),
}  # fmt: skip
_SYNONYMS = {
    word: group.split()[0]
    for group in (
        "a an", "photo photograph", "car automobile", "movie film", "begin start commence",
        "buy purchase", "quick rapid", "big large", "child kid", "children kids",
        "doctor physician", "smart intelligent", "delete remove", "fix repair",
        "auto pkw", "kaufen erwerben", "schnell rasch", "beginnen anfangen",
    )
    for word in group.split()
}  # fmt: skip
_GERMAN = _words(
    "der die das und ist sind ein eine nicht ich wie was wer wo wann warum mit für auf zu im in den"
    " dem des kann man es gibt von"
)
_ENGLISH = _words(
    "the and is are a an not i how what who where when why with for on to in of can you it there"
    " from do does"
)
_ROMANCE = _words(
    "le la les des un une est que qui quoi comment pourquoi pour avec sans el los las una es como"
    " por para con sin il lo gli che non perché per di da e y et"
)
_NEGATIONS = _words(
    "not no never none nor neither without nothing nobody cannot nicht kein keine keinen keiner nie"
    " niemals ohne weder"
)


def essence(text: str) -> tuple[str, ...]:
    """What must be equal in both; empty if the text says nothing, or is too long to compare."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return ()
    verbatim = tuple([f'"{found}' for found in _VERBATIM.findall(text)])
    plain = _VERBATIM.sub(" \x01 ", text)  # its place counts, too
    if _CODE.search(plain):
        return ("code", text)
    language = _language(plain)
    dropped = _DROPPED.get(language, frozenset())
    plain, begins = _stripped(plain)
    out: list[str] = []
    end = 0
    for found in _TOKEN.finditer(plain):
        starts = begins if not end else bool(_SENTENCE.search(plain, end - 1, found.start()))
        out += _plain(found[0], starts, dropped)
        end = found.end()
    if not any(word[:1].isalnum() or word == "\x01" for word in out):
        return ()
    if len(out) == 3 and out[1] == "of":
        out = [out[2], out[0]]  # "the capital of France" is "France's capital"
    return (language, *out, *verbatim)


def answers_agree(one: Answer, two: Answer) -> bool:
    """Whether two answers say the same, as far as words tell: the same tool calls or numbers,
    as many negations, and at least half of their words in common, of short ones all. What only
    differs in its wording counts as different: a measured rate is rather too high."""
    if not agree(one, two):
        return False
    a, b = words(one), words(two)
    if min(len(a), len(b)) <= 3 and a != b:
        return False
    return _negations(text_of(one)) == _negations(text_of(two))


def _negations(text: str) -> int:
    found = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text.lower())
    return sum(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in found)


def _stripped(text: str) -> tuple[str, bool]:
    """Without the courtesies at both ends and the marks at the last; whether it begins with
    the beginning of a sentence."""
    text = _END.sub("", _FAREWELL.sub("", text)) + _factorial(text)
    begins = True
    while (found := _COURTESY.match(text)) is not None and found.end():
        text = text[found.end() :]
        begins = found[0].endswith(("!", "."))
    return text.strip(), begins


def _factorial(text: str) -> str:
    """A "!" behind a number is no mark."""
    return "!" if re.search(r"[\d)]!\W*$", text) else ""


def _plain(token: str, starts: bool, dropped: frozenset[str]) -> tuple[str, ...]:
    """The token as it is compared: nothing, itself, or several words."""
    if not token.replace("'", "").replace("’", "").isalpha():
        return (token,)  # a number, a sign, a path, an identifier: every letter counts
    token = token.replace("’", "'")
    low = token.lower()
    if low in _CONTRACTED:
        return _CONTRACTED[low]
    if low.endswith("'s"):
        low, token = low[:-2], token[:-2]
    # Inside a sentence a capital is a name (or a German noun); at its beginning it says
    # nothing, unless all of the word or a letter within it is one.
    named = token[1:] != low[1:] or (not starts and token != low and low != "i")
    if named:
        return (token,)
    if low in dropped:
        return ()
    return (_SYNONYMS.get(low, low),)


def _language(text: str) -> str:
    """Which of three groups of languages its small words are of, else its script."""
    low = re.findall(r"[^\W\d_]+", text.lower())
    counts = [
        (sum(word in known for word in low), name)
        for known, name in ((_ENGLISH, "en"), (_GERMAN, "de"), (_ROMANCE, "ro"))
    ]
    best = max(counts)
    if best[0]:
        return best[1]
    return "" if text.isascii() else f"u{ord(max(text)) >> 8:x}"
