"""Which passwords are tried first, though they are long enough.

No list of leaked ones, which would be the largest file of the hub: many of those with twelve
characters or more are words that everybody thinks of, with digits around them or written as 1337,
the same thing again and again, or walks over the keyboard. Source of the aim: NIST SP 800-63B-4,
3.1.1.2 (a block list of common and expected values, repetitive and sequential characters).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

_TRIED = (
    "password passwort passwd letmein welcome hello qwerty qwertz azerty iloveyou admin root "
    "guest administrator changeme changeit secret default login user test master trustno "
    "trustnoone shadow dragon monkey banana bananaboogaloo princess sunshine superman batman "
    "spiderman pokemon football baseball basketball soccer liverpool chelsea arsenal "
    "barcelona manchester united starwars jamesbond michael jessica jennifer charlie "
    "computer internet whatever freedom chocolate butterfly cheeseburger peanutbutter "
    "skateboarding philadelphia international communication professional independence "
    "entertainment satisfaction construction architecture registration confidential "
    "university information technology congratulations unbelievable development "
    "organization management christopher alexander elizabeth motherfucker fuckyou "
    "correcthorse correcthorsebatterystaple raspberry raspberrypi raspbian debian ubuntu "
    "linux pihub gateway server homeassistant openai anthropic claude ollama hubspot "
    "abcdefghijkl love baby angel money"
)
WORDS = frozenset(_TRIED.split())
"""Small letters. Two of them in a row are no better than one."""
ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
FOLDED = str.maketrans({"@": "a", "$": "s", "0": "o", "1": "i", "3": "e", "4": "a", "5": "s",
                        "7": "t"})  # fmt: skip
WALKED = 0.7
"""Of the steps from key to key: more are a walk. Sentences have less than a third, and of twelve
keys at random one in some thousand as many."""
LONGEST_UNIT = 6
MOST_WORDS = 2


def guessable(password: str, words: Iterable[str] = ()) -> str:
    """Why it is among the first that are tried, or "". `words`: what an attacker knows, such as
    the user's name."""
    text = password.casefold()
    plain = "".join(c for c in text if c.isalnum())
    if 4 * len(plain) < 3 * len(text):
        plain = text  # its marks are what it is made of
    if len(set(plain)) < 5:
        return "repeats a few characters"
    if any(_repeats(plain, size) for size in range(1, LONGEST_UNIT + 1)):
        return "repeats itself"
    if _walked(plain) >= WALKED:
        return "is a walk over the keyboard"
    known = WORDS.union(_letters(word) for word in words)
    if any(_made_of(one, known, MOST_WORDS) for one in _readings(text)):
        return "is one of the first that are tried"
    return ""


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalpha())


def _readings(text: str) -> Iterable[str]:
    """Its letters: without its digits, and with those inside of words read as letters."""
    yield _letters(text)
    edge = "".join(c for c in text.translate(str.maketrans("@$", "as")) if c.isalnum())
    yield _letters(edge.strip("0123456789").translate(FOLDED))
    yield _letters(edge.translate(FOLDED))


def _repeats(text: str, size: int) -> bool:
    return len(text) >= 2 * size and text == (text[:size] * len(text))[: len(text)]


def _made_of(text: str, known: frozenset[str], most: int) -> bool:
    if not text:
        return True  # digits and marks alone
    if text in known:
        return True
    return most > 1 and any(
        text[:cut] in known and _made_of(text[cut:], known, most - 1)
        for cut in range(3, len(text) - 2)
    )


def _walked(text: str) -> float:
    """The share of steps to the same key, to one beside it, or to the next letter or digit."""
    steps = list(pairwise(text))
    return sum(_near(a, b) for a, b in steps) / max(len(steps), 1)


def _near(a: str, b: str) -> bool:
    if abs(ord(a) - ord(b)) <= 1 or {a, b} == {"0", "9"}:
        return True
    first, second = _place(a), _place(b)
    if first is None or second is None:
        return False
    # The key below lies half a key to the right, so it has two neighbours above it.
    down, right = second[0] - first[0], second[1] - first[1]
    return (down, right) in ((0, 1), (0, -1), (1, 0), (1, -1), (-1, 0), (-1, 1))


def _place(key: str) -> tuple[int, int] | None:
    for line, keys in enumerate(ROWS):
        if key in keys:
            return line, keys.index(key)
    return None
