"""The obvious twin of pihub._core.jsonscan, by regular expressions and a bracket count."""

from __future__ import annotations

import re

SPACE = re.compile(rb"[ \n\r\t]*")
STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
SCALAR = re.compile(rb"[^,}\] \n\r\t]+")
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[^"]', re.DOTALL)


def members(data: bytes) -> list[tuple[str, int, int]] | None:
    at = _space(data, 0)
    if data[at : at + 1] != b"{":
        return None
    at = _space(data, at + 1)
    found: list[tuple[str, int, int]] = []
    if data[at : at + 1] == b"}":
        return found if _space(data, at + 1) == len(data) else None
    while True:
        key = STRING.match(data, at)
        if key is None:
            return None
        at = _space(data, key.end())
        if data[at : at + 1] != b":":
            return None
        start = _space(data, at + 1)
        end = _value(data, start)
        if end is None:
            return None
        found.append((key[1].decode("utf-8", "replace"), start, end))
        at = _space(data, end)
        if data[at : at + 1] == b"}":
            return found if _space(data, at + 1) == len(data) else None
        if data[at : at + 1] != b",":
            return None
        at = _space(data, at + 1)


def _space(data: bytes, at: int) -> int:
    match = SPACE.match(data, at)
    assert match is not None
    return match.end()


def _value(data: bytes, start: int) -> int | None:
    first = data[start : start + 1]
    if first == b'"':
        match = STRING.match(data, start)
        return match.end() if match else None
    if first not in (b"{", b"["):
        match = SCALAR.match(data, start)
        return match.end() if match else None
    depth, at = 0, start
    while match := TOKEN.match(data, at):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(match[0], 0)
        at = match.end()
        if depth == 0:
            return at
    return None
