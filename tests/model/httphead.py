"""Heads by regular expressions: answers read, requests written (RFC 9112)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Refused(Exception):
    """Not a head, or none that can be sent."""


NONE: Final = 0
LENGTH: Final = 1
CHUNKED: Final = 2
CLOSE: Final = 3

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n")
# The lookbehind pins each match to a line's start, so that the number of matches is
# the number of lines exactly when every line is well formed.
_FIELD = re.compile(
    r"(?<=\n)([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)\r\n"
)
_DIGITS = re.compile(r"[0-9]{1,18}")
_SPECIAL: Final = frozenset({"content-length", "transfer-encoding", "connection"})


class Head(NamedTuple):
    """A parsed response head. `length` is bytes for LENGTH, else -1."""

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    framing: int
    length: int
    keep_alive: bool


def parse_head(data: bytes, *, no_body: bool) -> Head:
    """`data`: status line and fields, through the empty line that ends them.

    `no_body`: the request was HEAD. Raises Refused.
    """
    text = data[:-2].decode("latin-1")
    match = _STATUS.match(text)
    if match is None:
        raise Refused("the upstream's status line is not HTTP/1.1")
    minor, code, reason = match.groups()
    found = _FIELD.findall(text, match.end() - 1)
    if len(found) + 1 != text.count("\n"):
        raise Refused("the upstream sent a malformed header")
    status = int(code)
    length = -1
    chunked = False
    keep_alive = minor == "1"
    close = False
    headers = []
    for name, value in found:
        name = name.lower()
        if value and value[-1] in " \t":
            value = value.rstrip(" \t")
        if name in _SPECIAL:
            if name == "content-length":
                if length < 0 and len(value) < 16 and value.isascii() and value.isdigit():
                    length = int(value)
                else:
                    length = _length(value, length)
            elif name == "connection":
                options = value.lower()
                if "close" in options:
                    close = True
                elif "keep-alive" in options:
                    keep_alive = True
            elif chunked or value.lower() != "chunked":
                raise Refused("the upstream sent an unknown transfer encoding")
            else:
                chunked = True
        headers.append((name, value))
    if chunked and (length >= 0 or minor == "0"):
        raise Refused("the upstream framed its answer in two ways")
    keep_alive = keep_alive and not close
    if no_body or status < 200 or status == 204 or status == 304:
        framing = NONE
    elif chunked:
        framing = CHUNKED
    elif length >= 0:
        framing = LENGTH
    else:
        framing = CLOSE
        keep_alive = False
    return Head(status, reason or "", "1." + minor, headers, framing, length, keep_alive)


def fields_only(data: bytes) -> bool:
    """Whether `data` is lines of fields with their line ends."""
    text = "\n" + data.decode("latin-1")
    return len(_FIELD.findall(text)) + 1 == text.count("\n") and text.endswith("\n")


def _length(value: str, before: int) -> int:
    # A list of equal values may stand for one (RFC 9112 section 6.3); anything else
    # is a framing attack or a broken server.
    for part in value.split(","):
        part = part.strip(" \t")
        if not _DIGITS.fullmatch(part) or before not in (-1, int(part)):
            raise Refused("the upstream sent a bad content-length")
        before = int(part)
    return before


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


def _wire_name(name: str) -> str:
    """`name: ` as it is sent, or "" for a field that the connector owns."""
    if len(name) > 256 or not _TOKEN.fullmatch(name):
        raise Refused("a header's name holds characters that cannot be sent")
    lower = name.lower()
    return "" if lower in _OURS else lower + ": "


def _method(method: str) -> str:
    if len(method) > 32 or not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise Refused("not a method that can be sent")
    return method + " "


def request_head(
    method: str, target: str, host_line: str, headers: list[tuple[str, str]], body_length: int
) -> bytes:
    """Head of one request, with the empty line.

    `target` is origin-form (`/path?query`, already percent-encoded) or `*`.
    `body_length`: bytes, or CHUNKED_BODY, or NO_BODY. Fields in `headers` that decide
    framing or the connection are left out; the connector writes its own. A `host` in
    `headers` stands in for `host_line`. Raises Refused for anything that would not
    be one well-formed head.
    """
    if (
        not target.isascii()
        or not target.isprintable()
        or " " in target
        or not target.startswith(("/", "*"))
    ):
        raise Refused("the target holds characters that cannot be sent")
    parts = [_method(method), target, " HTTP/1.1\r\n", host_line]
    hosted = False
    for name, value in headers:
        wire = _wire_name(name)
        if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
            raise Refused("a header's value holds characters that cannot be sent")
        if wire:
            if wire == "host: ":
                if hosted:
                    raise Refused("a request has one host")
                parts[3] = ""
                hosted = True
            parts += (wire, value, "\r\n")
    if body_length == CHUNKED_BODY:
        parts.append("transfer-encoding: chunked\r\n\r\n")
    elif body_length > 0 or method in _BODY_METHODS:
        parts.append(f"content-length: {max(body_length, 0)}\r\n\r\n")
    else:
        parts.append("\r\n")
    return "".join(parts).encode("latin-1")
