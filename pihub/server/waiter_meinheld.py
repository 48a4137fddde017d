"""The cooperative waiter: greenlets of one worker wait on meinheld's event loop.

A wait is one `trampoline` call without a timer (meinheld's have whole seconds). One
watchdog greenlet, alive only while somebody waits, looks every 50 ms for waits whose
deadline has passed, and every 250 ms with one poll(2) for clients that have left. It
wakes such a wait by making its own descriptor ready (a socket is shut down, an eventfd
written, a timer fired), never by switching into the greenlet: only the loop does that,
because it restores whose request is running.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from meinheld import server

from pihub.errors import ClientGone
from pihub.server.kernel import Kernel

TICK: Final = 0.05
CLIENTS_EVERY: Final = 5
"""Ticks between two looks at the clients: 250 ms."""
POOLED_TIMERS: Final = 256
"""Timer descriptors kept for the next sleeps; about 250 B of kernel memory each."""

WAITING: Final = 0
TIMED_OUT: Final = 1
GONE: Final = 2
GONE_EVENTS: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL
FOREVER: Final = float("inf")

_trampoline = server.trampoline


class _Wait:
    """One waiting greenlet; 72 bytes. `why` is set by the watchdog before it wakes."""

    __slots__ = ("client_fd", "deadline", "why")

    def __init__(self, deadline: float, client_fd: int) -> None:
        self.deadline = deadline
        self.client_fd = client_fd
        self.why = WAITING


class MeinheldWaiter:
    """`domain.ports.Waiter` for meinheld's greenlets; one per worker.

    Idle it makes no wake-ups: the watchdog's timer runs only while a wait that has a
    deadline or a client is pending. Two waits on one descriptor are a RuntimeError.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waits: dict[int, _Wait] = {}
        self._watching = False
        self._ticks = 0
        self._tick_fd = -1
        self._sleeping: set[int] = set()
        self._timers: list[int] = []

    def wait(self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1) -> None:
        if deadline == FOREVER and client_fd < 0:
            _trampoline(fd, not write, write)
            return
        waits = self._waits
        if fd in waits:
            raise RuntimeError("two greenlets wait for one descriptor")
        waits[fd] = wait = _Wait(deadline, client_fd)
        if not self._watching:
            self._watching = True
            server.spawn(self._watch)
        try:
            _trampoline(fd, not write, write)
        finally:
            del waits[fd]
        if wait.why:
            self._raise(wait)

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        if seconds <= 0:
            return
        fd = self._timers.pop() if self._timers else self._kernel.timerfd()
        self._kernel.arm(fd, max(seconds, 1e-9))
        self._sleeping.add(fd)
        fired = False
        try:
            while not fired:
                self.wait(fd, deadline=FOREVER, client_fd=client_fd)
                fired = _drained(fd)
        finally:
            self._sleeping.discard(fd)
            if not fired:
                self._kernel.arm(fd, 0)  # also forgets that it has fired unread
            if len(self._timers) < POOLED_TIMERS:
                self._timers.append(fd)
            else:
                os.close(fd)

    def spawn(self, work: Callable[[], None]) -> None:
        server.spawn(work)

    def client_fd(self, environ: Mapping[str, Any]) -> int:
        """meinheld leaves its client object in the environ."""
        client = environ.get("meinheld.client")
        return -1 if client is None else int(client.get_fd())

    # ---- the watchdog -------------------------------------------------------------

    def _watch(self) -> None:
        """Body of the watchdog greenlet: ends when a tick finds nobody waiting."""
        if self._tick_fd < 0:
            self._tick_fd = self._kernel.timerfd()
        fd = self._tick_fd
        self._kernel.arm(fd, TICK, TICK)
        try:
            while self._waits:
                _trampoline(fd, True)
                if _drained(fd):
                    self._check()
        finally:
            self._kernel.arm(fd, 0)
            self._watching = False

    def _check(self) -> None:
        now = monotonic()
        self._ticks += 1
        if self._ticks % CLIENTS_EVERY == 0:
            self._check_clients()
        for fd, wait in self._waits.items():
            if wait.deadline <= now and not wait.why:
                wait.why = TIMED_OUT
            if wait.why:  # again at each tick, should a first wake have had no effect
                self._wake(fd)

    def _check_clients(self) -> None:
        by_client: dict[int, list[_Wait]] = {}
        for wait in self._waits.values():
            if wait.client_fd >= 0:
                by_client.setdefault(wait.client_fd, []).append(wait)
        if not by_client:
            return
        poller = select.poll()
        for client_fd in by_client:
            poller.register(client_fd, select.POLLRDHUP)
        for client_fd, events in poller.poll(0):
            if events & GONE_EVENTS:
                for wait in by_client[client_fd]:
                    wait.why = wait.why or GONE

    def _wake(self, fd: int) -> None:
        """Make `fd` ready. It is spoilt for further use, which `Waiter.wait` allows."""
        if fd in self._sleeping:
            self._kernel.arm(fd, 1e-9)
            return
        try:
            sock = socket.socket(fileno=fd)
        except OSError:  # no socket: an eventfd
            try:
                os.eventfd_write(fd, 1)
            except OSError:
                pass  # already at its maximum, so readable anyway
            return
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not connected (any more): then it has an error or a hang-up to report
        finally:
            sock.detach()

    def _raise(self, wait: _Wait) -> None:
        if wait.why == GONE:
            raise ClientGone("the client closed its connection")
        raise TimeoutError("the wait's deadline has passed")


def _drained(fd: int) -> bool:
    """Read a timer's count; False if it has not fired (a spurious wake-up)."""
    try:
        os.read(fd, 8)
    except BlockingIOError:
        return False
    return True
