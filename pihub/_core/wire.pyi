from typing import Self, final

def wire_key(secret: bytes, epoch: int, route: int, body: bytes) -> tuple[int, int]:
    """(h1, h2) of a request's exact bytes; `secret` is the arena's 32 bytes, `epoch` u64."""

def minify(text: bytes) -> bytes:
    """A JSON text without whitespace between its tokens (include/ph_minify.h); empty if that
    could change its meaning, or if it has none."""

def sorted_members(text: bytes) -> tuple[bytes, bytes | None]:
    """(a compact JSON object with its top-level members in the order of their names, the raw
    text of its member "model") (include/ph_sorted.h); empty if it is left alone."""

def pack_wire(
    status: int,
    content_type: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    *,
    model: int,
    upstream: int,
    alias: int,
    stream: bool,
    saved_nano: int,
    in_tok: int,
    out_tok: int,
    simulated: bool = False,
    look: int = 0,
) -> bytes:
    """A rendered answer as the edge keeps it (include/ph_wire.h).

    `look`: the canonical key's first half, for the record of a hit (shared/events.py).
    content-type, content-length, x-pihub-request-id, -cache and -cost among `headers`
    are left out: the edge writes its own. Raises ValueError for a status outside of
    200..599, a line break, more than 255 headers or more than 4 KiB of them.
    """

@final
class Heads:
    """The edge's memory of header lists: 64 rows of at most 4 KiB of headers."""

    def __new__(cls) -> Self: ...

@final
class Refusal:
    """What of a refusal does not depend on the request."""

    def __new__(
        cls,
        line: str,
        headers: list[tuple[str, str | None]],
        prefix: bytes,
        suffix: bytes | None,
    ) -> Self: ...
