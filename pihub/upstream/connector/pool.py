"""The connections of one origin: bounded, newest first, first come first served."""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final

from pihub.domain.ports import Waiter
from pihub.errors import Overloaded, UpstreamBusy
from pihub.settings.schema import Pool

if TYPE_CHECKING:
    from pihub.upstream.connector.connection import Connection

MAX_WAITING: Final = 1024
"""Requests that may wait for a connection of one origin; each holds one eventfd and
under 1 kB."""


class _Ticket:
    """A place in the queue. `granted`: a connection, or with None the right to dial."""

    __slots__ = ("abandoned", "connection", "fd", "granted")

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.granted = False
        self.abandoned = False
        self.connection: Connection | None = None


class OriginPool:
    """Safe for greenlets and threads alike: the lock is never held over a wait.

    An idle connection is taken and given back without the lock: `pop` and `append` of a
    list are one step under the interpreter's lock, and `_idle` is never replaced. So that
    nobody queues beside an idle connection, who gives one back looks for a queue after
    it, and who queues looks for idle connections after it: one of them sees the other.

    RAM: `size` connections at most, each a socket and about 1 kB (TLS: 40 kB).
    """

    __slots__ = ("_idle", "_lock", "_queue", "_waiting", "limits", "open")

    def __init__(self, limits: Pool) -> None:
        self.limits = limits
        self.open = 0
        """Places taken: connections in use, idle, or being made."""
        self._idle: list[Connection] = []
        self._queue: deque[_Ticket] = deque()
        self._waiting = 0
        # Reentrant: a forgotten Response may be collected, and give its place up, in the
        # middle of any of these methods.
        self._lock = threading.RLock()

    def take(
        self, now: float, waiter: Waiter, deadline: float, client_fd: int
    ) -> Connection | None:
        """A usable idle connection, or None: the caller now owns a place and dials.

        Waits its turn if all places are taken; raises TimeoutError or ClientGone as
        the Waiter does, UpstreamBusy if too many wait already.
        """
        oldest = now - self.limits.idle
        while True:
            connection = None
            if self._idle and not self._waiting:
                try:
                    connection = self._idle.pop()
                except IndexError:
                    pass  # another thread's now
            if connection is None:
                with self._lock:
                    if self.open < self.limits.size and not self._waiting:
                        self.open += 1
                        return None
                    ticket = self._enqueue()
                break
            # (More places than the limit: it was lowered by a reload.)
            within = self.open <= self.limits.size
            if within and connection.idle_since >= oldest and connection.quiet():
                return connection
            connection.discard()
        return self._queued(ticket, waiter, deadline, client_fd)

    def take_idle(self, now: float) -> Connection | None:
        """A usable idle connection if one is there at once, else None."""
        if self._waiting:
            return None
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        oldest = now - self.limits.idle
        if (
            self.open <= self.limits.size
            and connection.idle_since >= oldest
            and connection.quiet()
        ):
            return connection
        connection.discard()
        return None

    def release(self, connection: Connection) -> None:
        """A connection whose answer was read to its end."""
        connection.reused = True
        connection.idle_since = monotonic()
        if self.open > self.limits.size:
            connection.discard()
            return
        self._idle.append(connection)
        if self._waiting:
            with self._lock:
                self._serve()

    def vacate(self) -> None:
        """Give a place up: to the first in the queue, or back."""
        with self._lock:
            if self._queue and self.open <= self.limits.size and self._grant(None):
                return
            self.open -= 1

    def expire(self, now: float) -> None:
        """Close what has been idle for longer than `limits.idle`."""
        oldest = now - self.limits.idle
        for connection in list(self._idle):
            if connection.idle_since < oldest:
                self._close(connection)

    def close_idle(self) -> None:
        """Close every idle connection."""
        for connection in list(self._idle):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        """An idle connection, unless somebody has taken it meanwhile."""
        try:
            self._idle.remove(connection)
        except ValueError:
            return
        connection.discard()

    def stats(self) -> dict[str, int]:
        """open (idle ones included), idle, waiting"""
        return {"open": self.open, "idle": len(self._idle), "waiting": self._waiting}

    def _enqueue(self) -> _Ticket:
        """Join the queue; under the lock."""
        if self._waiting >= MAX_WAITING:
            raise UpstreamBusy("too many requests wait for this upstream", retry_after=1.0)
        try:
            ticket = _Ticket()
        except OSError as err:
            raise Overloaded("the hub has no free descriptor", detail=str(err)) from err
        self._queue.append(ticket)
        self._waiting += 1
        while self.open < self.limits.size and self._grant(None):
            # The pool was enlarged while requests waited.
            self.open += 1
        self._serve()
        return ticket

    def _serve(self) -> None:
        """Idle connections to the queue; under the lock."""
        while self._waiting:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            if not self._grant(connection):
                self._idle.append(connection)
                return

    def _queued(
        self, ticket: _Ticket, waiter: Waiter, deadline: float, client_fd: int
    ) -> Connection | None:
        try:
            while not ticket.granted:
                waiter.wait(ticket.fd, deadline=deadline, client_fd=client_fd)
        except BaseException:
            self._abandon(ticket)
            raise
        finally:
            os.close(ticket.fd)
        connection = ticket.connection
        if connection is not None and not connection.quiet():
            # Its place is ours: a new connection goes there.
            connection.shut()
            return None
        return connection

    def _grant(self, connection: Connection | None) -> bool:
        """Serve the queue's first; under the lock."""
        while self._queue:
            ticket = self._queue.popleft()
            if ticket.abandoned:
                continue
            self._waiting -= 1
            ticket.connection = connection
            ticket.granted = True
            os.eventfd_write(ticket.fd, 1)
            return True
        return False

    def _abandon(self, ticket: _Ticket) -> None:
        with self._lock:
            if not ticket.granted:
                ticket.abandoned = True
                self._waiting -= 1
                return
        # Granted in the same moment: pass it on.
        if ticket.connection is not None:
            ticket.connection.release()
        else:
            self.vacate()
