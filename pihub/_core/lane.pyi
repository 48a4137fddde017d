from collections.abc import Callable
from typing import Any, Self, final

from pihub._core.cache import Cache
from pihub._core.counters import Counters
from pihub._core.journal import Journal
from pihub._core.way import Way

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
    head. wait, client_fd: the Waiter's. least_room: no chat is taken while the cache's room
    (thousandths) is that or less, for want of memory. machine, share: the (row, column) there
    holds the thousandths of `limit` that are left while the machine suffers; 0: all.
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
        cache: Cache,
        least_room: int,
        machine: Counters,
        share: tuple[int, int],
    ) -> Self: ...
    def add(self, route: int, name: bytes, way: Way) -> None:
        """Chats of `route` for the model `name` go this way, if nothing else speaks against it."""
