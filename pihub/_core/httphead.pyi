from collections.abc import Sequence
from typing import Final

STATUS_LINE: Final = 1
FIELD: Final = 2
CODING: Final = 3
CONTENT_LENGTH: Final = 4
TWO_FRAMINGS: Final = 5
COMMON: Final[tuple[str, ...]]
"""Names of fields that are shared by all answers."""

def parse(
    data: bytes, start: int, head: bool
) -> tuple[int, str, str, list[tuple[str, str]], int, int, bool, int] | int | None:
    """The answer's head that begins at `start`; `head`: of a HEAD request.

    (status, reason, "1.0" or "1.1", fields with names in lower case, framing, length or
    -1, whether the connection may be kept, where the head ends). Framing: 0 no body, 1
    `length` bytes, 2 chunked, 3 until the connection closes. None: not whole yet. A
    number: one of the constants, what is wrong with it.
    """

def damage(data: bytes, start: int) -> int:
    """What is wrong with the lines of a head that may not be whole yet: STATUS_LINE,
    FIELD, or 0. Makes no objects, so a head that trickles in may be asked about often."""

def fields_only(data: bytes) -> bool:
    """Whether `data` is nothing but well-formed lines of fields, each with its CRLF."""

def request(
    method: str,
    target: str,
    host: str,
    fields: Sequence[tuple[str, str]],
    length: int,
    body: bytes,
) -> bytes:
    """The head of a request and `body` behind it.

    `host`: the line `host: ...` with its CRLF, left out if `fields` has a host. `length`:
    of the body, announced; -1 to say nothing, -2 for a chunked one. Fields that frame the
    message or concern the hop are left out. Raises ValueError for what would not be one
    well-formed head.
    """
