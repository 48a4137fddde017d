"""A place in a text where something was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """`start` and `end` are byte offsets; `rule` names the shape, never the value."""

    start: int
    end: int
    kind: str
    rule: str


Look = Callable[[int, int], Iterator[Span]]
"""Looks within one run of digits of a text."""


def runs(data: bytes) -> list[tuple[int, int]]:
    """Where at least six digits and what may stand between them follow each other: the only
    places that numbers of people are looked for in. A date is none."""
    return [found.span() for found in _RUN.finditer(data) if not _DATE.fullmatch(found[0])]


def digits(text: bytes) -> bytes:
    """The ASCII digits of `text`, everything else left out."""
    return text.translate(None, _NO_DIGIT)


def before(data: bytes, start: int, reach: int = 40) -> bytes:
    """What stands before a place within the same text, in lower case."""
    left = data[max(0, start - reach) : start]
    return left[left.rfind(b"\0") + 1 :].lower()


_RUN = re.compile(rb"[0-9][0-9 ()./-]{5,}+")
_DATE = re.compile(rb"(?:19|20)\d\d[-/.][01]?\d[-/.][0-3]?\d(?: [0-2]?\d)?[ .)]*")
AROUND = 24
"""Bytes behind a run that a number may go on for (letters at its end)."""
_NO_DIGIT = bytes(b for b in range(256) if not 48 <= b <= 57)
