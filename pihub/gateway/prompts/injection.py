"""How much a text looks like an attempt to give the model other orders: 0 to 100.

A heuristic, and only ever a note: guards of this kind misjudge up to forty percent of harmless
prompts that hold their trigger words (arXiv 2410.22770), so nothing is refused for it. Six
families of phrases, each counted once; what a tool or a document says weighs twice, since
nobody's own orders stand there.
"""

from __future__ import annotations

import re
import unicodedata

from pihub.shared.words import Matcher

MOST_ANCHORS = 2_000
REACH = 300
"""Bytes after what begins a phrase in which it must be complete."""
FAMILIES: tuple[tuple[str, int, str, str], ...] = (
    # name, points, what begins it (one a comma), what must follow soon
    (
        "override",
        40,
        "ignore,disregard,forget,override,bypass,stop following,do not follow,don't follow,"
        "ignorier,missachte,vergiss,ignorez,oublie,ignora,olvida",
        r"\w*\W{1,4}(?:[^.\n]{0,40}?\W)??"
        r"(?:previous|prior|above|earlier|preceding|system|original|initial|all|any|your"
        r"|everything|vorherig\w*|obig\w*|bisherig\w*|alle|pr[ée]c[ée]dent\w*|anterior\w*|toutes)"
        r"\W{1,3}(?:[^.\n]{0,30}?\W)??"
        r"(?:instructions?|prompts?|rules?|guidelines?|directions?|messages?|commands?|orders?"
        r"|context|anweisung\w*|regeln|befehle|consignes|instrucci[oó]n\w*)",
    ),
    (
        "reveal",
        30,
        "reveal,print,repeat,show,output,display,leak,what is,what are,tell me,zeige,wiederhole",
        r"\W{1,3}(?:[^.\n]{0,30}?\W)??"
        r"(?:system prompt|initial instructions|hidden (?:prompt|instructions)"
        r"|(?:your|the) (?:exact |full |original )?(?:system )?(?:instructions|prompt)"
        r"|everything above|text above|systemprompt)",
    ),
    (
        "role",
        25,
        "you are now,from now on,pretend,act as,developer mode,jailbreak,do anything now,"
        "unrestricted,no restrictions,without restrictions,without any restrictions,du bist jetzt",
        "",
    ),
    (
        "forged",
        30,
        "<|im_start|>,<|im_end|>,<|system|>,<|eot_id|>,<|start_header_id|>,[inst],<<sys>>,"
        "</system>,<system>,### system,### instruction,\n\nhuman:,\n\nassistant:,begin system,"
        "[system],new instructions:,system override,important instructions",
        "",
    ),
    (
        "secretly",
        35,
        "do not tell the user,don't tell the user,do not mention this,don't mention this,"
        "without telling the user,do not inform the user,do not reveal this,hide this from,"
        "keep this secret from",
        "",
    ),
    (
        "exfiltrate",
        35,
        "send,post,forward,upload,exfiltrate,email,append,curl",
        r"\W{1,3}(?:[^.\n]{0,60}?\W)??"
        r"(?:conversation|chat history|system prompt|api keys?|credentials?|passwords?|secrets?"
        r"|tokens?|\.env|private keys?|environment variables)\W(?:[^\n]{0,80}?)??"
        r"(?:https?://|to \S{1,64}@|to the following)",
    ),
)
_HIDDEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\U000e0000-\U000e007f]")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]{1,}")


class Injection:
    """Scores texts. RAM: about 100 KiB a process for the matcher's tables."""

    def __init__(self) -> None:
        self._table = [
            (name, points, re.compile(rest) if rest else None)
            for name, points, anchors, rest in FAMILIES
            for _ in anchors.split(",")
        ]
        words = [word.encode() for _, _, anchors, _ in FAMILIES for word in anchors.split(",")]
        self._words = Matcher(tuple(words))

    def score(self, own: str, foreign: str) -> int:
        """`own`: the user's and the system's words; `foreign`: tools' results, documents."""
        return min(100, self._points(own) + 2 * self._points(foreign))

    def _points(self, text: str) -> int:
        raw = normal(text).encode("utf-8", "replace")
        found: dict[str, int] = {}
        for index, end in self._words.all(raw, MOST_ANCHORS):
            name, points, rest = self._table[index]
            if name in found:
                continue
            after = raw[end : end + REACH].decode("utf-8", "ignore")
            if rest is not None and rest.match(after) is None:
                continue
            found[name] = points
        return sum(found.values())


def normal(text: str) -> str:
    """One spelling of what looks alike: compatibility forms, no invisible characters, lower
    case, single spaces."""
    if not text.isascii():
        text = _HIDDEN.sub("", unicodedata.normalize("NFKC", text))
    text = text.lower()
    return _SPACES.sub(" ", text) if "  " in text or not text.isascii() or "\t" in text else text
