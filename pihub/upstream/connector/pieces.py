"""A request's body that comes in pieces: chunked, or of a length that was announced."""

from __future__ import annotations

from collections.abc import Iterable

from pihub.errors import BadRequest
from pihub.upstream.connector.connection import Connection


def send_pieces(connection: Connection, head: bytes, body: Iterable[bytes], length: int) -> None:
    """`length` below 0: chunked (RFC 9112 section 7.1). Ends early where the upstream has
    answered meanwhile. Raises BadRequest if the pieces are not as long as announced."""
    pending = head
    left = length
    for piece in body:
        if not piece:
            continue
        left -= len(piece)
        if length < 0:
            data = b"%b%x\r\n%b\r\n" % (pending, len(piece), piece)
        elif left >= 0:
            data = pending + piece
        else:
            raise BadRequest("the body is longer than announced")
        if not connection.send(data, first=bool(pending)):
            return
        pending = b""
    if length < 0:
        pending += b"0\r\n\r\n"
    elif left:
        raise BadRequest("the body is shorter than announced")
    if pending:
        connection.send(pending, first=pending.startswith(head))
