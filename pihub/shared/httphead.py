"""Heads of HTTP/1.1, read and written by the core."""

from __future__ import annotations

from typing import Final

from pihub._core.httphead import fields_end, parse, request

__all__ = ["NO_BODY", "WORDS", "fields_end", "parse", "request"]

NO_BODY: Final = 0
"""Framings as `parse` tells them: none, by length, chunked, until the connection closes."""
WORDS: Final = {
    1: "the upstream's status line is not HTTP/1.1",
    2: "the upstream sent a malformed header",
    3: "the upstream sent an unknown transfer encoding",
    4: "the upstream sent a bad content-length",
    5: "the upstream framed its answer in two ways",
}
"""What the numbers of `parse` mean."""
