"""The streams that run right now, in all workers: shown, measured, cancelled.

In a worker (state.process_began() has been called there):

    tracker = StreamTracker(state.streams, slot, stall=5.0)
    live = tracker.open(rid, key=..., tenant=..., route=..., model=names.intern(...), ...)
    if live.content(tokens, len(chunk)):    # at each piece of content, one call
        ...                                  # True: someone cancelled it: end the stream
    live.close()                             # always, in a finally

`live.cancelled()` is for while nothing comes. `tokens` 0 is a piece without content (a
head, a ping): it counts bytes and shows life, but is no first token. A gap longer than
`stall` seconds between two pieces after the first token counts as a stall.

Anywhere: `LiveStreams(state.streams, state.names).rows()` lists them; `.cancel(stream)`
asks the worker to end one: it does at its next piece, or at its next look at `cancelled`.
After a worker died, the control process finds what it was streaming by
`lost(state.incarnations)`: tokens and bytes that its client had received. The rows stay until
`free`, so that they are not lost if the control process dies, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import TYPE_CHECKING, NamedTuple

from pihub._core.names import Names
from pihub._core.streams import Streams
from pihub.errors import RateLimited
from pihub.shared.events import Flag

if TYPE_CHECKING:
    from pihub._core.streams import _Row


_WHOLE = int(Flag.WHOLE)


class LiveStream(NamedTuple):
    """One stream at the instant of reading. Durations in seconds."""

    handle: int
    generation: int
    """With the handle: which stream it is. A later one in the same row has another."""
    rid: int
    began: float
    """Unix time."""
    age: float
    first_token: float | None
    """Seconds until it came; None: not yet."""
    idle: float
    """Since the last piece came."""
    bytes: int
    tokens: int
    tokens_per_second: float
    """Since the first token."""
    stalls: int
    longest_gap: float
    key: int
    tenant: int
    route: int
    flags: int
    """shared.events.Flag"""
    model: str
    upstream: str
    alias: str
    input_tokens: int
    cancelled: bool
    slot: int


class Live:
    """One stream of this worker."""

    __slots__ = ("_handle", "_stall", "_table")

    def __init__(self, table: Streams, handle: int, stall: int) -> None:
        self._table = table
        self._handle = handle
        self._stall = stall

    def content(self, tokens: int, nbytes: int) -> bool:
        """True: it is to be ended."""
        if self._handle < 0:
            return False
        return self._table.tick(self._handle, tokens, nbytes, monotonic_ns(), self._stall)

    def cancelled(self) -> bool:
        return self._handle >= 0 and self._table.cancelled(self._handle)

    def stalls(self) -> int:
        """So far; 0 if it has no row."""
        row = self._table.read(self._handle) if self._handle >= 0 else None
        return 0 if row is None else row[10]

    def close(self) -> None:
        """Free the row; a second call does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            self._table.close(handle)


class StreamTracker:
    """What one worker opens."""

    def __init__(
        self, table: Streams, slot: int, stall: float = 5.0, per_key: int = 1 << 31
    ) -> None:
        """`per_key`: how many one key may have open at once, in all workers."""
        self._per_key = per_key
        self._table = table
        self._slot = slot
        self._stall = int(stall * 1e9)

    def require(self, key: int) -> None:
        """Raises RateLimited if the key has as many open as it may. Some 5 us a worker."""
        if key and self._table.held(key) >= self._per_key:
            raise RateLimited(
                f"this API key has {self._per_key} streams open (limits.streams_per_key): "
                "wait until one ends",
                retry_after=1,
            )

    def open(
        self,
        rid: int,
        *,
        key: int = 0,
        tenant: int = 0,
        route: int = 0,
        flags: int = 0,
        model: int = 0,
        upstream: int = 0,
        alias: int = 0,
        input_tokens: int = 0,
        began_ns: int = 0,
    ) -> Live:
        """`model`, `upstream` and `alias` are numbers of the shared names; `began_ns`: when its
        request came (CLOCK_MONOTONIC), 0: now. Never fails: a stream that finds no free row is
        counted in `untracked` and goes on untracked."""
        handle = self._table.open(
            self._slot, rid, began_ns or monotonic_ns(), key, tenant, route, flags, model, upstream,
            alias, input_tokens,
        )  # fmt: skip
        return Live(self._table, handle, self._stall)


class LiveStreams:
    """All workers' streams, of all tenants or of one."""

    def __init__(
        self, table: Streams, names: Names, per_slot: int, tenant: int | None = None
    ) -> None:
        self._table = table
        self._names = names
        self._per_slot = per_slot
        self._tenant = tenant

    def of_tenant(self, tenant: int) -> LiveStreams:
        """As that tenant's people see them."""
        return LiveStreams(self._table, self._names, self._per_slot, tenant)

    def rows(self) -> list[LiveStream]:
        """Oldest first."""
        now = monotonic_ns()
        found = [self._of(row, now) for row in self._table.rows() if not row[15] & _WHOLE]
        return sorted(
            (one for one in found if self._tenant in (None, one.tenant)),
            key=lambda one: one.began,
        )

    def find(self, rid: int) -> LiveStream | None:
        return next((one for one in self.rows() if one.rid == rid), None)

    def cancel(self, stream: LiveStream) -> bool:
        """False: it is over already."""
        return self._table.cancel(stream.handle, stream.generation)

    def lost(
        self, incarnations: Callable[[], Sequence[int]]
    ) -> dict[tuple[int, int], list[LiveStream]]:
        """What dead processes were streaming, by (slot, incarnation); the rows stay.

        `incarnations` by slot, 0 for a slot that nobody holds (SharedState.incarnations). They
        are read after the rows: a process that has begun in between is not taken for dead.
        """
        found = {(row[0] // self._per_slot, row[2]) for row in self._table.rows()}
        now_held = incarnations() if found else ()
        dead: dict[tuple[int, int], list[LiveStream]] = {
            one: [] for one in sorted(found) if now_held[one[0]] != one[1]
        }
        if dead:  # read again: their last words, which nobody changes any more
            now = monotonic_ns()
            for row in self._table.rows():
                rows = dead.get((row[0] // self._per_slot, row[2]))
                if rows is not None:
                    rows.append(self._of(row, now))
        return dead

    def free(self, slot: int, incarnation: int) -> None:
        """The rows of a dead process, once they are recorded."""
        self._table.orphans(slot, incarnation)

    def untracked(self) -> int:
        """Streams that found no free row."""
        return self._table.untracked()

    def _of(self, row: _Row, now: int) -> LiveStream:
        began, first, last = row[5], row[6], row[7]
        tokens = row[9]
        span = (last - first) / 1e9 if first and last > first else 0.0
        name = self._names.lookup
        return LiveStream(
            handle=row[0],
            generation=row[1],
            rid=row[3],
            began=row[4] / 1e9,
            age=max(0, now - began) / 1e9,
            first_token=(first - began) / 1e9 if first else None,
            idle=max(0, now - last) / 1e9,
            bytes=row[8],
            tokens=tokens,
            tokens_per_second=tokens / span if span > 0 else 0.0,
            stalls=row[10],
            longest_gap=row[11] / 1e6,
            key=row[12],
            tenant=row[13],
            route=row[14],
            flags=row[15],
            model=name(row[16]),
            upstream=name(row[17]),
            alias=name(row[18]),
            input_tokens=row[19],
            cancelled=row[20],
            slot=row[0] // self._per_slot,
        )
