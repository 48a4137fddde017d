"""The bytes of a request's head. CR, LF and NUL cannot get in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pihub.domain.ports import Headers
from pihub.errors import BadRequest

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "expect",
        "te",
        "trailer",
    }
)
"""Fields that only the connector writes: they decide about framing or the hop."""
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})

CHUNKED_BODY: Final = -2
NO_BODY: Final = -1


# 1,024 names of common length: under 200 kB.
@lru_cache(maxsize=1024)
def _wire_name(name: str) -> str:
    """`name: ` as it is sent, or "" for a field that the connector owns."""
    if len(name) > 256 or not _TOKEN.fullmatch(name):
        raise BadRequest("a header's name holds characters that cannot be sent")
    lower = name.lower()
    return "" if lower in _OURS else lower + ": "


@lru_cache(maxsize=64)
def _method(method: str) -> str:
    if len(method) > 32 or not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise BadRequest("not a method that can be sent")
    return method + " "


def request_head(
    method: str, target: str, host_line: str, headers: Headers, body_length: int
) -> bytes:
    """Head of one request, with the empty line.

    `target` is origin-form (`/path?query`, already percent-encoded) or `*`.
    `body_length`: bytes, or CHUNKED_BODY, or NO_BODY. Fields in `headers` that decide
    framing or the connection are left out; the connector writes its own. A `host` in
    `headers` stands in for `host_line`. Raises BadRequest for anything that would not
    be one well-formed head.
    """
    if (
        not target.isascii()
        or not target.isprintable()
        or " " in target
        or not target.startswith(("/", "*"))
    ):
        raise BadRequest("the target holds characters that cannot be sent")
    parts = [_method(method), target, " HTTP/1.1\r\n", host_line]
    hosted = False
    for name, value in headers:
        wire = _wire_name(name)
        if wire:
            if wire == "host: ":
                if hosted:
                    raise BadRequest("a request has one host")
                parts[3] = ""
                hosted = True
            if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
                raise BadRequest("a header's value holds characters that cannot be sent")
            parts += (wire, value, "\r\n")
    if body_length == CHUNKED_BODY:
        parts.append("transfer-encoding: chunked\r\n\r\n")
    elif body_length > 0 or method in _BODY_METHODS:
        parts.append(f"content-length: {max(body_length, 0)}\r\n\r\n")
    else:
        parts.append("\r\n")
    return "".join(parts).encode("latin-1")
