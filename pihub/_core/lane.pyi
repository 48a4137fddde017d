from collections.abc import Callable
from typing import Any, Self, final

from pihub._core.breaker import Breaker
from pihub._core.counters import Counters
from pihub._core.journal import Journal

LIMIT_RATE: int
"""Rates (pico-USD a token) must be below it."""

@final
class Way:
    """Where one model of one route goes. Everything here is fixed while the worker lives.

    protocol: openai or anthropic. head: of a call with an empty body, as httphead.request
    writes it. model: the upstream's name for it, as JSON text. version: the only
    anthropic-version header of a client that goes this way. row: the upstream's breaker.
    calls, ok: its columns of the upstreams' counters. take(now) gives an idle connection or
    None, release(connection) takes it back; a connection has `fd` and `discard()`. names:
    numbers of model, upstream and alias. shown: the headers that name the target. price:
    five rates, prompt tokens above which the next five hold (0: never), those; None: unknown,
    then unpriced() is called for each answer. headers, total: timers in seconds.

    Raises ValueError for a head that does not end with its length, or too high a rate.
    """

    def __new__(
        cls,
        *,
        protocol: str,
        head: bytes,
        model: bytes,
        version: str | None,
        breakers: Breaker,
        row: int,
        calls: int,
        ok: int,
        take: Callable[[float], Any],
        release: Callable[[Any], None],
        names: tuple[int, int, int],
        simulated: bool,
        shown: tuple[tuple[str, str], ...],
        price: tuple[tuple[int, ...], int, tuple[int, ...]] | None,
        unpriced: Callable[[], None] | None,
        headers: float,
        total: float,
    ) -> Self: ...

@final
class Begun:
    """A call that the lane has begun and does not end: the pipeline goes on with it.

    It was let pass by the breaker and counted as a call; its outcome was not.
    """

    connection: Any
    wire: bytes
    """Head and body of the call."""
    sent: int
    """Bytes of it that were sent; -1: sending failed."""
    data: bytes
    """What came of the answer."""
    error: Exception | None
    """What ended the wait; the descriptor may have been shut down."""
    at: float
    """CLOCK_MONOTONIC seconds by which the answer's head must be there."""
    total_at: float
    start_ns: int
    """CLOCK_MONOTONIC when the call began."""

@final
class Lane:
    """Answers plain chats between edge and upstream; see docs/design/edge.md.

    temperature: up to which a chat may be kept, so that it is not the lane's. limit: of
    requests in flight in this worker. largest, max_header: bytes of an answer's body and
    head. wait, client_fd: the Waiter's.
    """

    def __new__(
        cls,
        *,
        journal: Journal,
        counters: Counters,
        upstreams: Counters,
        temperature: float,
        limit: int,
        largest: int,
        max_header: int,
        wait: Callable[..., None],
        client_fd: Callable[[Any], int],
    ) -> Self: ...
    closed: bool
    """True: every chat takes the pipeline. May be changed at any time."""

    def add(self, route: int, name: bytes, way: Way) -> None:
        """Chats of `route` for the model `name` go this way, if nothing else speaks against it."""

def read_ask(body: bytes) -> tuple[bytes, float | None] | None:
    """(model, temperature) of a plain request; None if it is not plain."""

def read_answer(
    protocol: str, body: bytes
) -> tuple[tuple[int, int, int, int, int] | None, bytes] | None:
    """(usage, stop reason) of a plain answer; None if it is not plain.

    Usage: input, output, cache read, cache write of 5 minutes and of an hour.
    """

def read_head(data: bytes) -> tuple[int, int] | None:
    """(where it ends, length of the body) of a plain answer's head."""
