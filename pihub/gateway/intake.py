"""What a request's body may be before anything parses it: its coding undone, its shape bounded.

RFC 9110, 8.4: gzip and deflate (the zlib form, and the raw one that some clients send) are
undone; any other coding, or more than one, is 415. RAM: the body as it came and as it is,
each at most `limits.body`; decompression stops at the first byte beyond.
"""

from __future__ import annotations

import zlib

from pihub.errors import BadRequest, TooLarge, UnsupportedCoding
from pihub.gateway.exchange import Exchange
from pihub.shared.jsonscan import measure

TOO_DEEP, TOO_MANY = 1, 2


class Intake:
    """Sets `request.body`. Raises BadRequest, TooLarge, UnsupportedCoding."""

    def __init__(self, max_body: int, depth: int, values: int) -> None:
        self._max_body = max_body
        self._depth = depth
        self._values = values

    def __call__(self, x: Exchange) -> None:
        request = x.request
        if request.coding is not None:
            request.body = undone(request.body, request.coding, self._max_body)
            request.coding = None
            request.exact = None  # the edge's key is of the bytes as they came
        require_utf8(request.body)
        found = measure(request.body, self._depth, self._values)
        if found == TOO_DEEP:
            raise BadRequest(
                f"the body is nested deeper than {self._depth} levels (limits.json_depth)"
            )
        if found == TOO_MANY:
            raise TooLarge(f"the body has more than {self._values} values (limits.json_values)")


def require_utf8(body: bytes) -> None:
    """JSON is UTF-8 (RFC 8259, 8.1), in parts too that the hub passes on unread.

    Raises BadRequest.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise BadRequest("the body is not valid UTF-8") from None


def undone(body: bytes, coding: str, most: int) -> bytes:
    """`body` without its content coding. Raises BadRequest, TooLarge, UnsupportedCoding."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip"):
        bits = 16 + zlib.MAX_WBITS
    elif name == "deflate":
        # RFC 9110, 8.4.1.2: zlib's form. Its first byte tells it from the raw one.
        bits = zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS
    else:
        raise UnsupportedCoding(
            f"content-encoding {coding[:40]!r} is not supported: send gzip, deflate or none",
            param="content-encoding",
        )
    machine = zlib.decompressobj(bits)
    try:
        out = machine.decompress(body, most + 1)
    except zlib.error:
        raise BadRequest(f"the body is not {name}") from None
    if len(out) > most:
        raise TooLarge("the body is larger than the hub accepts (limits.body)")
    if not machine.eof or machine.unused_data:
        raise BadRequest(f"the body is not one whole {name} stream")
    return out
