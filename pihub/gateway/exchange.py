"""What one chat request carries through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pihub.domain.cacheable import CacheWish
from pihub.domain.chat import Answer, Ask, Usage
from pihub.domain.ports import ClientFormat, Piece
from pihub.domain.target import Principal, Target
from pihub.errors import PihubError
from pihub.shared.answers import Key, Stored
from pihub.shared.events import CacheState
from pihub.shared.metrics import Series


@dataclass(slots=True)
class Reply:
    """What goes back: `body` is bytes, or an iterator of chunks with a `close`."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Iterator[bytes]


@dataclass(slots=True)
class Incoming:
    """A chat request as the HTTP layer hands it over."""

    client: ClientFormat
    route: int
    body: bytes
    principal: Principal
    rid: int
    rid_hex: str
    t0_ns: int
    """CLOCK_MONOTONIC when the edge saw it."""
    client_fd: int = -1
    exact: Key | None = None
    """The edge's key of the body's bytes."""
    wish_header: str | None = None
    forward: tuple[tuple[str, str], ...] = ()
    """Vendor headers that a same-protocol upstream gets (anthropic-beta, ...)."""


@dataclass(slots=True)
class Exchange:
    """The state of one request between the stages. Each stage says what it sets."""

    request: Incoming
    # inspect
    ask: Ask | None = None
    wish: CacheWish = field(default_factory=CacheWish)
    # lookup
    cache: CacheState = CacheState.NONE
    cache_reason: str = ""
    key: Key | None = None
    stored: Stored | None = None
    leads: bool = False
    # route
    targets: tuple[Target, ...] = ()
    # call
    target: Target | None = None
    attempts: int = 0
    failures: list[str] = field(default_factory=list)
    moved_on: PihubError | None = None
    """How the last target before the one that answered failed."""
    passes: bool = False
    """The upstream's own bytes go to the client unchanged."""
    raw: bytes = b""
    """The upstream's own non-streamed body, if `passes`."""
    pieces: Iterator[Piece] | None = None
    answer: Answer | None = None
    ttft_us: int = 0
    # render and remember
    reply: Reply | None = None
    rendered: bytes = b""
    usage: Usage | None = None
    estimated: bool = False
    cost_nano: int = -1
    saved_nano: int = 0
    # record
    error: PihubError | None = None
    bytes_out: int = 0
    client_gone: bool = False
    marks: dict[Series, int] = field(default_factory=dict)
    """Stage durations in microseconds."""
    wall_ns: int = field(default_factory=time.time_ns)

    def elapsed_us(self) -> int:
        return (time.monotonic_ns() - self.request.t0_ns) // 1000


Stage = Callable[[Exchange], None]
