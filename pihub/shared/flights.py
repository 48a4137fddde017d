"""Single-flight over the shared in-flight table, for requests of any worker.

A leader answers and remembers; followers wait and look into the cache. One background
loop a worker waits on the worker's eventfd and wakes the local followers whose leader
is done, each through an eventfd of its own (one fd has one callback in the server).
RAM: a pooled eventfd a waiting follower, at most `FOLLOWERS` of them a worker.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from pihub._core.inflight import Inflight
from pihub.domain.ports import Waiter

FOLLOWERS = 1024
EVENTFD = os.EFD_NONBLOCK | os.EFD_CLOEXEC
LEASE_MS = 10_000
"""How long a hung leader blocks its followers; renewed by `renew` every second."""


class Flights:
    """One worker's view of the in-flight table."""

    def __init__(self, table: Inflight, slot: int, eventfd: int, waiter: Waiter) -> None:
        self._table = table
        self._slot = slot
        self._eventfd = eventfd
        self._waiter = waiter
        self._led: set[int] = set()
        self._followers: dict[int, list[int]] = {}
        self._live: set[int] = set()
        """Descriptors of those who want all news, not only the end."""
        self._free: deque[int] = deque()
        self._waiting = 0
        # For engines with threads: no descriptor is written to once its follower has
        # given it up, for its number may be another file's by then. Held for
        # microseconds, never across a wait.
        self._lock = threading.Lock()

    def begin(self, key: int) -> bool | None:
        """True: lead, and call `end` whatever happens. False: `follow`. None: just call."""
        verdict = self._table.begin(key, self._slot, LEASE_MS, _now_ms())
        if verdict:
            self._led.add(key)
        return verdict

    def end(self, key: int) -> None:
        """The leader is done, well or not; wakes all followers."""
        if key in self._led:
            self._led.discard(key)
            self._table.end(key, self._slot)
            self._wake_done()

    def renew(self) -> None:
        """Keep the leases of this worker's leaders; called about once a second."""
        now = _now_ms()
        for key in tuple(self._led):
            self._table.renew(key, self._slot, LEASE_MS, now)
        self._wake_done()

    def leader(self, key: int) -> int:
        """The slot of whoever leads `key` now; -1: nobody."""
        return self._table.leader(key, _now_ms())

    def followed(self, key: int) -> bool:
        """Whether somebody follows what this worker leads."""
        return self._table.followed(key, self._slot)

    def tell(self, key: int) -> None:
        """Wake those who follow what this worker leads: there is news."""
        self._table.tell(key, self._slot)

    def following(self, key: int) -> Following:
        """For the news of `key`, until `leave`. Raises TimeoutError if too many wait."""
        fd = self._enter(key)
        self._live.add(fd)
        return Following(self, key, fd, self._waiter)

    def left(self, key: int, fd: int, *, reuse: bool) -> None:
        """A Following is over."""
        self._live.discard(fd)
        self._leave(key, fd, reuse=reuse)

    def follow(self, key: int, *, deadline: float, client_fd: int) -> None:
        """Wait until nobody leads `key`. Raises TimeoutError and ClientGone."""
        fd = self._enter(key)
        clean = False
        try:
            # Re-check after registering: the leader may have ended in between. One wait
            # only: a next leader does not know of us, the caller looks and begins anew.
            if self._table.led(key, _now_ms()):
                self._waiter.wait(fd, deadline=deadline, client_fd=client_fd)
            clean = True
        finally:
            self._leave(key, fd, reuse=clean)

    def _enter(self, key: int) -> int:
        """A descriptor to wait on, registered. Raises TimeoutError if there is none."""
        with self._lock:
            if self._waiting >= FOLLOWERS:
                raise TimeoutError
            try:
                fd = self._free.pop() if self._free else os.eventfd(0, EVENTFD)
            except OSError:  # out of descriptors: call instead of waiting
                raise TimeoutError from None
            self._waiting += 1
            self._followers.setdefault(key, []).append(fd)
            return fd

    def _leave(self, key: int, fd: int, *, reuse: bool) -> None:
        with self._lock:
            self._waiting -= 1
            fds = self._followers[key]
            fds.remove(fd)
            if not fds:
                del self._followers[key]
            if reuse:
                _drain(fd)
                self._free.append(fd)
            else:
                os.close(fd)

    def dispatch(self) -> None:
        """The background loop: never returns. Run it in a greenlet or thread of its own."""
        while True:
            self._waiter.wait(self._eventfd, deadline=float("inf"))
            _drain(self._eventfd)
            self._wake_done()

    def _wake_done(self) -> None:
        now = _now_ms()
        with self._lock:
            for key, fds in self._followers.items():
                over = not self._table.led(key, now)
                for fd in fds:
                    if over or fd in self._live:
                        os.eventfd_write(fd, 1)


class Following:
    """One follower's place: news that come between two waits end the second at once."""

    __slots__ = ("_clean", "_fd", "_flights", "_key", "_waiter")

    def __init__(self, flights: Flights, key: int, fd: int, waiter: Waiter) -> None:
        self._flights = flights
        self._key = key
        self._fd = fd
        self._waiter = waiter
        self._clean = True

    def wait(self, deadline: float, client_fd: int) -> None:
        """Until there is news. Raises TimeoutError and ClientGone; then only `leave` it."""
        self._clean = False
        self._waiter.wait(self._fd, deadline=deadline, client_fd=client_fd)
        _drain(self._fd)
        self._clean = True

    def leave(self) -> None:
        """Once."""
        self._flights.left(self._key, self._fd, reuse=self._clean)


def _now_ms() -> int:
    return int(time.monotonic() * 1000)


def _drain(fd: int) -> None:
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass
