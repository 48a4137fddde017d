"""Heads of HTTP/1.1, read and written by the core."""

from __future__ import annotations

from typing import Final

from pihub._core.httphead import damage, fields_only, parse, request

__all__ = [
    "CHUNKED", "CLOSE", "LENGTH", "NONE", "WORDS", "Head", "damage", "fields_only", "parse",
    "request",
]  # fmt: skip

Head = tuple[int, str, str, list[tuple[str, str]], int, int, bool, int]
"""(status, reason, version, fields, framing, length or -1, may be kept, where it ends)"""

NONE: Final = 0
LENGTH: Final = 1
CHUNKED: Final = 2
CLOSE: Final = 3
"""Framings: no body, by length, in chunks, until the connection closes."""

WORDS: Final = {
    1: "the upstream's status line is not HTTP/1.1",
    2: "the upstream sent a malformed header",
    3: "the upstream sent an unknown transfer encoding",
    4: "the upstream sent a bad content-length",
    5: "the upstream framed its answer in two ways",
}
"""What the numbers of `parse` and `damage` mean."""
