"""The obvious twin of include/ph_sorted.h: split at the top, sort, join."""

from __future__ import annotations

import json
from typing import Any

MOST = 64


def sorted_members(text: bytes) -> bytes:
    """`text`: a compact JSON text. Empty if it is left alone."""
    parts = members(text)
    names = [name for name, _ in parts]
    if not parts or len(parts) > MOST or len(set(names)) != len(names):
        return b""
    if any(b"\\" in name or not name.isascii() for name in names):
        return b""
    return b"{" + b",".join(raw for _, raw in sorted(parts)) + b"}"


def members(text: bytes) -> list[tuple[bytes, bytes]]:
    """(name as it is spelt, name and value as they are spelt); none if it is no object."""
    try:
        if not isinstance(json.loads(text, parse_constant=refuse), dict):
            return []
    except ValueError:
        return []
    found, depth, inside, escaped, start = [], 0, False, False, 1
    for at, char in enumerate(text.decode("latin-1")):
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
            continue
        inside = char == '"'
        if char in "{[":
            depth += 1
        if (char == "," and depth == 1) or (char == "}" and depth == 1):
            if at > start:
                raw = text[start:at]
                found.append((raw[1 : raw.index(b'":', 1)], raw))
            start = at + 1
        if char in "}]":
            depth -= 1
    return found


def refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
