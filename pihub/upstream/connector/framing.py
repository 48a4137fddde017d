"""HTTP/1.1 response heads and message framing, strictly (RFC 9112 sections 4 to 6).

Whatever could make two parsers disagree about where a message ends is refused, not
repaired: bare LF, folded lines, a space before the colon, Transfer-Encoding together
with Content-Length, differing lengths, codings other than `chunked`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pihub.errors import UpstreamProtocol

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

    `no_body`: the request was HEAD. Raises UpstreamProtocol.
    """
    text = data[:-2].decode("latin-1")
    match = _STATUS.match(text)
    if match is None:
        raise UpstreamProtocol("the upstream's status line is not HTTP/1.1")
    minor, code, reason = match.groups()
    found = _FIELD.findall(text, match.end() - 1)
    if len(found) + 1 != text.count("\n"):
        raise UpstreamProtocol("the upstream sent a malformed header")
    status = int(code)
    length = -1
    chunked = False
    keep_alive = minor == "1"
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
                    keep_alive = False
                elif "keep-alive" in options and minor == "0":
                    keep_alive = True
            elif chunked or value.lower() != "chunked":
                raise UpstreamProtocol("the upstream sent an unknown transfer encoding")
            else:
                chunked = True
        headers.append((name, value))
    if chunked and (length >= 0 or minor == "0"):
        raise UpstreamProtocol("the upstream framed its answer in two ways")
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


def check_start(data: bytes) -> None:
    """Refuse early what can never become a head. Raises UpstreamProtocol."""
    if not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(data[:7]):
        raise UpstreamProtocol("the upstream does not speak HTTP/1.1")
    if b"\0" in data or data.count(b"\n") != data.count(b"\r\n"):
        raise UpstreamProtocol("the upstream sent a malformed header")


def check_trailers(data: bytes) -> None:
    """`data`: trailer lines with their line ends. Raises UpstreamProtocol."""
    text = "\n" + data.decode("latin-1")
    if len(_FIELD.findall(text)) + 1 != text.count("\n"):
        raise UpstreamProtocol("the upstream sent malformed trailers")


def _length(value: str, before: int) -> int:
    # A list of equal values may stand for one (RFC 9112 section 6.3); anything else
    # is a framing attack or a broken server.
    for part in value.split(","):
        part = part.strip(" \t")
        if not _DIGITS.fullmatch(part) or before not in (-1, int(part)):
            raise UpstreamProtocol("the upstream sent a bad content-length")
        before = int(part)
    return before
