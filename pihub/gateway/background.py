"""Work that a request causes and does not wait for: one at a time for a key, over all workers.

A kept answer that is past its time is given at once, and fetched anew beside it (RFC 5861,
section 3). The fetching leads the key's flight, so whoever asks the same and finds nothing
waits for it instead of asking again.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from pihub.shared.flights import Flights

log = logging.getLogger("pihub.gateway")

MOST = 16
"""At once, of one worker. RAM: each has a stack (30 KiB; a thread's 100 KiB), a body and an
answer, as a request has; it counts as one in flight."""
PAUSE = 10.0
"""Seconds until a key is tried again whose work failed."""
PAUSED = 1024
"""Keys that are remembered for it: some 150 KiB."""


class Background:
    """One worker's. Thread-safe, for engines with threads."""

    def __init__(
        self,
        flights: Flights,
        spawn: Callable[[Callable[[], None]], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._flights = flights
        self._spawn = spawn
        self._clock = clock
        self._lock = threading.Lock()
        self._running = 0
        self._paused: OrderedDict[int, float] = OrderedDict()
        self._life: tuple[socket.socket, socket.socket] | None = None
        """What stands for the client, and what is closed when it "leaves"."""
        self._stopped = False

    def begin(self, flight: int, work: Callable[[int], bool]) -> bool:
        """Run `work` soon, unless somebody is at this flight, or it failed a moment ago.

        `work` gets a descriptor that stands for its client: it "leaves" when the worker
        stops. It returns whether it succeeded; the flight ends with it.
        """
        with self._lock:
            if self._stopped or self._running >= MOST:
                return False
            if self._paused.get(flight, 0.0) > self._clock():
                return False
            if self._flights.leader(flight) >= 0 or not self._flights.begin(flight):
                return False
            self._running += 1
        try:
            self._spawn(lambda: self._run(flight, work))
        except Exception:
            self._over(flight, well=False)
            raise
        return True

    def stop(self) -> None:
        """Begin nothing more, and let what runs end as if its client had left."""
        with self._lock:
            self._stopped = True
            if self._life is not None:
                # Only the far end: the near one's number must not become another file's
                # while somebody may look at it.
                self._life[1].close()

    @property
    def running(self) -> int:
        return self._running

    def _run(self, flight: int, work: Callable[[int], bool]) -> None:
        well = False
        try:
            well = work(self._client())
        except Exception:
            log.exception("a kept answer could not be fetched anew")
        finally:
            self._over(flight, well=well)

    def _over(self, flight: int, *, well: bool) -> None:
        self._flights.end(flight)
        with self._lock:
            self._running -= 1
            self._paused.pop(flight, None)
            if not well:
                self._paused[flight] = self._clock() + PAUSE
                if len(self._paused) > PAUSED:
                    self._paused.popitem(last=False)

    def _client(self) -> int:
        """Made when first needed: two descriptors a worker, if it refreshes at all."""
        with self._lock:
            if self._life is None:
                self._life = socket.socketpair()
                if self._stopped:
                    self._life[1].close()
            return self._life[0].fileno()
