"""A request's body as one value, for routes with a bound of their own."""

from __future__ import annotations

import falcon

from pihub.errors import ClientGone, TooLarge

PIECE = 64 * 1024


def untold(req: falcon.Request) -> bool:
    """Whether a body comes in chunks, whose length the server has not told."""
    chunked = "chunked" in req.env.get("HTTP_TRANSFER_ENCODING", "").lower()
    return chunked and not req.content_length


def whole_body(req: falcon.Request, most: int, refusal: str) -> bytes:
    """At most `most` bytes, told by a length or in chunks (a server that does not gather those
    first, as gunicorn's, tells no length). Raises TooLarge with the text `refusal`, and
    ClientGone for half a body."""
    size = req.content_length or 0
    if size > most:
        raise TooLarge(refusal)
    if untold(req):
        parts, total = [], 0
        while data := req.env["wsgi.input"].read(PIECE):
            total += len(data)
            if total > most:
                raise TooLarge(refusal)
            parts.append(data)
        return b"".join(parts)
    body = req.bounded_stream.read(size) if size else b""
    if len(body) < size:
        raise ClientGone("the client closed its connection")
    return bytes(body)
