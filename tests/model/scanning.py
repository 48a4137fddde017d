"""The scanner's verifiers, slow and obvious: expressions, lists, a shell's own word splitting.

Each says of a decoded value what the core must say of it, on the small alphabets of
tests/core/test_scanner_twins.py, on which no other rule has a say.
"""

from __future__ import annotations

import re
import shlex

SEPARATORS = "/\\"
BEFORE = frozenset("/\\=: ")
"""What a segment of dots may stand behind."""


def runs(text: str) -> list[tuple[int, int]]:
    """(start, end) of each run of dots."""
    return [(m.start(), m.end()) for m in re.finditer(r"\.+", text)]


def climb_points(text: str) -> int:
    """Points of dots, separators, letters and spaces in a query, by how far they climb."""
    climbs = stays = odd = first = 0
    last = False
    for start, end in runs(text):
        before = start == 0 or text[start - 1] in BEFORE
        after = text[end] if end < len(text) and text[end] in SEPARATORS else ""
        if end - start >= 2 and ((before and (after or end == len(text))) or after):
            odd |= after == "\\" and end + 1 < len(text)
            if climbs == 0:
                first = start
                last = bool(after) and start > 0 and text[start - 1] == " "
                last = last and " " not in text[start:]
            climbs += 1 + (end - start > 8)
        elif end - start == 1 and before and after:
            stays += 1
        elif end - start >= 8 and start <= 1:
            climbs += 2
        if climbs >= 3 or stays >= 4:
            break
    if climbs >= 2 or stays >= 4 or (climbs and stays):
        return 70 if climbs >= 3 or (first <= 1 and climbs) or odd or stays else 60
    if climbs:
        return 60 if odd or first <= 1 or last else 40
    return 0


NAME = r"[a-z]+"
BREAKS = re.compile(
    rf"\)\((?:[|&!]|{NAME}[=<>~])|\([|&]\(|\*\)\(|\*\([|&]|\*\(\)[|&]|\(!\({NAME}=|\({NAME}=\*\)|\*\)\)|^\*\)$"
)
"""What ends somebody's LDAP filter and begins another (RFC 4515), or is one."""


def filter_breaks(text: str) -> bool:
    """Of brackets, operators of filters and letters, without spaces."""
    return BREAKS.search(text) is not None


def first_command(text: str) -> str | None:
    """The word that a shell would run behind the first `;`; None where quotes do not close."""
    try:
        words = shlex.split(text.partition(";")[2], posix=True)
    except ValueError:
        return None
    return words[0] if words else None


CONSTANT = re.compile(r"\s*(?:\d+|'[a-z]*'|null|true|false)\s*")
COMPARISON = re.compile(r"(?:<=>|<>|!=|<=|>=|=|<|>)")


def tokens(text: str) -> list[str]:
    """Words, numbers, strings and marks of SQL, comments and white space gone."""
    plain = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.findall(r"'[a-z]*'|[a-z_]+|\d+|<=>|<>|!=|<=|>=|[^\sa-z_\d]", plain.lower())


def tautology(text: str) -> bool:
    """or and and, with a comparison of two constants behind."""
    found = tokens(text)
    for i, word in enumerate(found[:-3]):
        left, mark, right = found[i + 1 : i + 4]
        constants = CONSTANT.fullmatch(left) and CONSTANT.fullmatch(right)
        if word in ("or", "and") and COMPARISON.fullmatch(mark) and constants:
            return True
    return False
