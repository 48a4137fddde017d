"""Drains every worker's ring of records into the store: nothing twice, nothing lost, in order.

How far a ring has been read is stored in the transaction that stores what was read.
So whenever this process dies, the next one continues after the last committed record;
and while the store cannot take anything (full disk), the rings keep what they can and
what they had to overwrite is counted. The order is that of the requests' ends (merging).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pihub.insight.merging import Merge, Settled
from pihub.insight.waking import Log, Sleeper
from pihub.shared.metrics import Column
from pihub.store.rows import EventStore, NameLookup
from pihub.store.sqlite import StoreFault

log = logging.getLogger("pihub.recorder")

BATCH = 2048
"""Records a transaction, at most; in memory some 2 MiB."""
HOLD = 0.1
"""Seconds from a request's end within which its record is in the ring, for certain enough."""
RETRY = 1.0
"""Seconds until a failed batch is tried again."""
PRUNE_EVERY = 60.0
PRUNE_ROWS = 500
"""Small deletes: each holds the writer for a few milliseconds."""
CONTROL_ROW = 0
"""The control process's row of the shared counters."""


class Counting(Protocol):
    """The shared counters (`_core.counters.Counters`)."""

    def add(self, row: int, column: int, n: int) -> None: ...


class RecorderState(NamedTuple):
    """For the status page."""

    behind: int
    """Records in the rings that are not stored yet."""
    recorded: int
    """Since this process started, as the next three."""
    lost: int
    failures: int
    last_error: str
    bytes_per_1000: int = 0
    """Written to the disk for 1,000 records, so far."""


class Recorder:
    """One thread of the control process; the only writer of the metrics store."""

    def __init__(
        self,
        events: Log,
        boot: int,
        names: NameLookup,
        store: EventStore,
        counters: Counting,
        *,
        flush: float,
        retention_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listeners: list[Callable[[Sequence[bytes]], None]] = []
        self._ring = events.ring
        self._rings = events.rings
        self._merge = Merge(events.ring, events.rings)
        self._sleeper = Sleeper(events)
        self._boot = boot
        self._names = names
        self._store = store
        self._counters = counters
        self._hold = min(HOLD, flush / 4)
        self._flush = flush - self._hold
        self._retention_days = retention_days
        self._clock = clock
        self._cursors = dict.fromkeys(range(events.rings), 0) | store.cursors(boot)
        self._recorded = self._lost = self._failures = 0
        self._last_error = ""
        self._next_prune = 0.0
        self._written = 0

    def listen(self, listener: Callable[[Sequence[bytes]], None]) -> None:
        """It gets every batch after its commit, in this thread; call it before `run`."""
        self._listeners.append(listener)

    def state(self) -> RecorderState:
        return RecorderState(
            self._behind(),
            self._recorded,
            self._lost,
            self._failures,
            self._last_error,
            self._written * 1000 // max(self._recorded, 1),
        )

    def mark(self) -> Callable[[], bool]:
        """Whether all that is in the rings at this moment is stored, asked later.

        Unlike `behind`, which a busy hub never sees at 0, it becomes true after one flush."""
        heads = [self._ring.head(ring) for ring in range(self._rings)]

        def stored() -> bool:
            cursors = self._cursors
            return all(cursors[ring] >= head for ring, head in enumerate(heads))

        return stored

    def run(self, stop: threading.Event) -> None:
        """Until `stop` and a `nudge`; then what is left is stored and the WAL moved into the file.

        Without a record it sleeps until the first one, then lets a batch grow for `flush`
        seconds, unless a ring is half full before."""
        quiet = True
        half = self._ring.capacity // 2
        while not stop.is_set():
            if quiet:
                left = self._next_prune - time.monotonic()
                self._sleeper.sleep(self._cursors, 1, left, stop)
            self._sleeper.sleep(self._cursors, half, self._flush, stop)
            before = self._recorded
            if not self._store_all(hold=True):
                stop.wait(RETRY)
            elif time.monotonic() >= self._next_prune:
                self._prune()
            # While requests come, no worker needs to wake us for the first of the next batch.
            quiet = self._recorded == before and not self._behind()
        self.drain()
        try:
            self._store.checkpoint()
        except StoreFault as error:
            log.warning("last checkpoint failed: %s", error)

    def nudge(self) -> None:
        """From any thread, after setting `stop`: end the sleep."""
        self._sleeper.nudge()

    def drain(self) -> bool:
        """Store all that the rings hold now; False if the store failed, with all kept."""
        return self._store_all(hold=False)

    def _store_all(self, *, hold: bool) -> bool:
        """With `hold`, what ended a moment ago stays until all that ended before it is there."""
        while True:
            settled = None
            if hold:
                now = self._clock()
                settled = Settled(int((now - self._hold) * 1e9), int((now + self._hold) * 1e9))
            cursors, lost, records = self._merge.batch(self._cursors, BATCH, settled)
            if cursors == self._cursors:
                return True
            before = written_bytes()
            try:
                self._store.commit(self._boot, cursors, lost, records, self._names)
            except StoreFault as error:
                self._failed(error)
                return False
            self._cursors = cursors
            for tell in self._listeners:
                tell(records)
            self._recorded += len(records)
            self._lost += lost
            written = written_bytes() - before
            self._written += written
            self._counters.add(CONTROL_ROW, Column.STORE_WRITTEN, written)
            self._counters.add(CONTROL_ROW, Column.EVENTS_RECORDED, len(records))
            if lost:
                self._counters.add(CONTROL_ROW, Column.EVENTS_LOST, lost)
                log.warning("%d request records were overwritten before they were stored", lost)
            if self._last_error:
                log.info("the store takes records again")
                self._last_error = ""

    def _waiting(self, ring: int, cursor: int) -> int:
        return self._ring.head(ring) - cursor if ring < self._rings else 0

    def _behind(self) -> int:
        return sum(self._waiting(*item) for item in self._cursors.items())

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._counters.add(CONTROL_ROW, Column.STORE_FAILURES, 1)
        text = f"{type(error).__name__}: {error}"
        if text != self._last_error:
            log.error("request records cannot be stored, the rings keep them: %s", text)
            self._last_error = text

    def _prune(self) -> None:
        self._next_prune = time.monotonic() + PRUNE_EVERY
        try:
            removed = self._store.prune(int(self._clock()), self._retention_days, PRUNE_ROWS)
        except StoreFault as error:
            self._failed(error)
            return
        if removed >= PRUNE_ROWS:
            # More is waiting: come back with the next batch instead of a minute later.
            self._next_prune = 0.0


def written_bytes() -> int:
    """What the calling thread has sent towards the disk (proc(5), `write_bytes`); 0 where
    the kernel does not tell."""
    try:
        with open("/proc/thread-self/io", "rb") as file:
            found = file.read()
    except OSError:
        return 0
    _, _, rest = found.partition(b"\nwrite_bytes: ")
    return int(rest.split(b"\n", 1)[0] or 0)
