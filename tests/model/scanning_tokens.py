"""The scanner's lexer, slow and obvious: token by token, by the grammar of ph_scan_lex.h."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

WORD, NUMBER, COMMENT = 1, 2, 3
"""Types; any other is the mark itself."""
SPACE, REMARK, LINE, FIRST, VERSION = 1, 2, 4, 8, 16
"""Flags: of what stands before a token."""
RUN = 128
"""Of a longer run of equal bytes the middle is left out."""

BETWEEN = re.compile(rb"(?P<space>[\t-\r ])|(?P<version>/\*!\d*)|(?P<remark>/\*(?s:.*?)\*/|\*/)")
NAME = re.compile(rb"[a-z_\x80-\xff][a-z0-9_\x80-\xff]*")
HEX = re.compile(rb"0x[0-9a-fA-F]*")
DECIMAL = re.compile(rb"\d(?:\d|\.(?=\d|e\d))*(?:e(?=[\d+-])[\d+-]\d*)?")
GLUED = re.compile(rb"[a-z0-9_\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Words:
    """The known words that part from a number before them."""

    any: AbstractSet[bytes]
    """Behind any number: 1or, 1union."""
    after_suffix: AbstractSet[bytes]
    """Behind one with f or d, as Oracle writes them: 1dunion."""


def repeats(text: bytes, at: int) -> int:
    """Where a mark at `at` ends: itself, or in the midst of what repeats behind it."""
    rest = text[at + 1 :]
    if len(rest) <= RUN or rest[:RUN] != rest[:1] * RUN:
        return at + 1
    run = len(rest) - len(rest.lstrip(rest[:1]))
    return at + 1 + (run - RUN // 2) // 2 * 2


def number(text: bytes, at: int, words: Words) -> tuple[int, int]:
    """(type, end) of what begins with a digit."""
    if found := HEX.match(text, at):
        return NUMBER, found.end()
    plain = DECIMAL.match(text, at)
    assert plain is not None
    behind = GLUED.match(text, plain.end())
    if behind is None or behind[0] in words.any:
        return NUMBER, plain.end()
    if behind[0][:1] in (b"f", b"d") and behind[0][1:] in words.after_suffix:
        return NUMBER, plain.end() + 1
    return WORD, behind.end()


def before(text: bytes, at: int) -> tuple[int, int]:
    """(flags, end) of spaces and closed comments from `at` on."""
    flags = 0 if at else FIRST
    while found := BETWEEN.match(text, at):
        at = found.end()
        flags |= SPACE
        if found["version"]:
            flags |= REMARK | VERSION
        elif found["remark"]:
            flags |= REMARK
        elif found[0] in b"\r\n":
            flags |= LINE
    return flags, at


def tokens(text: bytes, words: Words) -> list[tuple[int, int, int, int]]:
    """(type, place, length, flags) of each; lower case, no byte below tab."""
    found = []
    at = 0
    while True:
        flags, at = before(text, at)
        if at == len(text):
            return found
        kind, end = text[at], at + 1
        if name := NAME.match(text, at):
            kind, end = WORD, name.end()
        elif text[at : at + 1].isdigit():
            kind, end = number(text, at, words)
        elif text[at : at + 2] in (b"--", b"/*"):
            kind, end = COMMENT, at + 2
        elif text[at : at + 1] in b"-/*" or text[at : at + 3] == text[at : at + 1] * 3:
            end = repeats(text, at)
        found.append((kind, at, end - at, flags))
        at = end
