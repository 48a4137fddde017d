"""The same attack in other clothes: what a verifier must see through."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote_from_bytes, unquote_to_bytes

MARKS = b"<>'\"=();/.|&"
PROSE = b"This is a sentence of some eighty bytes that says nothing at all about anything  "


def text(data: bytes, each: Callable[[int], str]) -> bytes:
    return "".join(each(b) if b in MARKS else chr(b) for b in data).encode("utf-8")


def once(data: bytes) -> bytes:
    return quote_from_bytes(data).encode()


VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda v: v,
    "80 B of prose before": lambda v: PROSE + v,
    "percent": once,
    "percent twice": lambda v: once(once(v)),
    "fullwidth marks": lambda v: text(v, lambda b: chr(b + 0xFEE0)),
    "HTML entities": lambda v: text(v, lambda b: f"&#{b};"),
    "%uXXXX": lambda v: text(v, lambda b: f"%u{b:04x}"),
    "comments for spaces": lambda v: v.replace(b" ", b"/**/"),
    "NUL sprinkled": lambda v: v.replace(b"e", b"\0e"),
}
"""Each of a decoded value; the result is judged as a raw value of a query."""

ONLY = {"comments for spaces": ("sqli", "xss")}
CLASSES = ("sqli", "xss", "path", "cmdi")


def sample(values: list[tuple[str, bytes, bool]], size: int = 250) -> dict[str, list[bytes]]:
    """(label, text, encoded) -> of each class `size` decoded ASCII values, the same in each run."""
    found: dict[str, set[bytes]] = {c: set() for c in CLASSES}
    for label, raw, encoded in values:
        data = unquote_to_bytes(raw.replace(b"+", b" ")) if encoded else raw
        if label in found and data.isascii() and b"\0" not in data and b"%" not in data:
            found[label].add(data)
    return {
        c: random.Random(1).sample(sorted(some), min(size, len(some))) for c, some in found.items()
    }
