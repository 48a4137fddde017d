"""One connection to an upstream: a non-blocking socket whose waits are the Waiter's."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from pihub.domain.ports import Waiter
from pihub.errors import UpstreamTimeout
from pihub.shared.lane import Begun

if TYPE_CHECKING:
    from pihub.upstream.connector.pool import OriginPool

READ: Final = 65536
"""Bytes asked of the socket at once; each busy connection holds at most one such
block."""
EARLY: Final = 1 << 20
"""How much of an answer is buffered while its request is still being sent."""

_FIRST_PAUSE: Final = 0.001
_LAST_PAUSE: Final = 0.05
"""Seconds between looks at a socket whose send buffer is full."""


class Cut(Exception):
    """The connection ended where it must not; for the connector's own use."""


class Connection:
    """A plain connection. Used by one request at a time; `TlsConnection` adds TLS.

    Every method that waits raises UpstreamTimeout (naming its timer), ClientGone, or
    Cut; after any of them the connection must be discarded.
    """

    __slots__ = (
        "_filled",
        "_idle",
        "_poll",
        "_recv",
        "_send",
        "_sleep",
        "_wait",
        "buffer",
        "client_fd",
        "fd",
        "gone",
        "idle_since",
        "partial",
        "pool",
        "reused",
        "sock",
        "total_at",
        "unsent",
    )

    def __init__(self, sock: socket.socket, waiter: Waiter, pool: OriginPool) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.pool = pool
        self._wait = waiter.wait
        self._sleep = waiter.sleep
        self._recv = sock.recv
        self._send = sock.send
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN | select.POLLRDHUP)
        self._filled = False
        self._idle = 60.0
        self.buffer = b""
        """Received while the request was being sent."""
        self.gone = False
        self.reused = False
        self.idle_since = 0.0
        self.client_fd = -1
        self.total_at = 0.0
        self.partial = False
        """The request was not sent to its end: the connection cannot be kept."""
        self.unsent = False
        """Sending failed before the first byte."""

    def begin(self, client_fd: int, total_at: float, idle: float) -> None:
        """Start a request that serves `client_fd` and must end at `total_at`."""
        self.client_fd = client_fd
        self.total_at = total_at
        self._idle = idle

    def quiet(self) -> bool:
        """Whether an idle connection is still usable: open, and nothing unasked in it."""
        return not self._poll.poll(0)

    def receive(self, at: float, timer: str) -> bytes:
        """The next bytes, b"" at the upstream's orderly end.

        The wait comes first: an upstream never has answered yet, and a read that finds
        nothing costs more than a wait that need not.
        """
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        waits = not self._filled
        while True:
            if waits:
                if at > self.total_at:
                    at, timer = self.total_at, "total"
                try:
                    self._wait(self.fd, deadline=at, client_fd=self.client_fd)
                except TimeoutError:
                    raise timeout(timer) from None
            try:
                data = self._recv(READ)
            except BlockingIOError:
                waits = True
            except OSError as err:
                raise Cut(str(err)) from err
            else:
                # A full read means that more is likely there: the next one need not
                # wait first.
                self._filled = len(data) == READ
                return data

    def send(self, data: bytes, *, first: bool = True) -> bool:
        """Send all of `data`; False if the upstream has answered or gone meanwhile.

        `first`: nothing of the request was sent before. After False the request's
        rest must not be sent; what the upstream said, if anything, is there to
        `receive`.
        """
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.partial = True
            self.unsent = first
            return False
        if sent == len(data):
            return True
        return self._push_rest(memoryview(data)[sent:])

    def take_up(self, begun: Begun) -> float:
        """Go on where the lane has sent and received something already; the time by which
        the answer's head must be there. Raises as waiting does."""
        if isinstance(begun.error, TimeoutError):
            raise timeout("total" if begun.at > begun.total_at else "headers")
        if begun.error is not None:
            raise begun.error
        if begun.sent < 0:
            self.partial = self.unsent = True
        elif begun.sent < len(begun.wire):
            self._push_rest(memoryview(begun.wire)[begun.sent :])
        self.buffer = begun.data + self.buffer
        return begun.at

    def _push_rest(self, view: memoryview) -> bool:
        # The upstream may answer before it has read the request, and then read no
        # more (413), or answer while it reads (an echo). So both directions are
        # watched. The Waiter waits for one of them; hence short sleeps, which only
        # bodies larger than the socket's buffer ever take.
        watch = select.poll()
        watch.register(self.fd, select.POLLIN | select.POLLRDHUP | select.POLLOUT)
        pause = _FIRST_PAUSE
        idle_at = monotonic() + self._idle
        while True:
            moved = False
            for _, events in watch.poll(0):
                if events & ~select.POLLOUT:
                    if not self._hear():
                        self.partial = True
                        return False
                    if len(self.buffer) >= EARLY:
                        watch.modify(self.fd, select.POLLOUT)
                if events & select.POLLOUT:
                    try:
                        view = view[self.sock.send(view) :]
                        moved = True
                    except BlockingIOError:
                        continue
                    except OSError:
                        self.partial = True
                        return False
            if not view:
                return True
            now = monotonic()
            if now >= self.total_at:
                raise timeout("total")
            if moved:
                pause, idle_at = _FIRST_PAUSE, now + self._idle
            elif now >= idle_at:
                raise timeout("idle")
            self._sleep(min(pause, idle_at - now, self.total_at - now), client_fd=self.client_fd)
            pause = min(pause * 2, _LAST_PAUSE)

    def _hear(self) -> bool:
        """Take what arrived while sending; False if sending has become pointless."""
        try:
            data = self.take_now()
        except BlockingIOError:
            return True
        except (OSError, Cut):
            return False
        if not data:
            return False
        self.buffer += data
        # 1xx and 2xx leave the upstream reading; anything else is its last word.
        return len(self.buffer) < 10 or self.buffer[9:10] in (b"1", b"2")

    def take_now(self) -> bytes:
        """What is there without waiting, b"" at the end; BlockingIOError if nothing."""
        return self.sock.recv(READ)

    def release(self) -> None:
        """The answer was read to its end: back to the pool."""
        self.pool.release(self)

    def discard(self) -> None:
        """Close, and give the place in the pool up; once, however often called."""
        if not self.gone:
            self.gone = True
            self.shut()
            self.pool.vacate()

    def shut(self) -> None:
        """Close the socket only; the place in the pool stays taken."""
        with suppress(OSError):
            self.sock.close()


def timeout(timer: str) -> UpstreamTimeout:
    """The error of a timer that fired."""
    return UpstreamTimeout(_WORDS[timer], timer=timer)


_WORDS: Final = {
    "connect": "the upstream could not be connected to in time",
    "headers": "the upstream did not begin its answer in time",
    "first_byte": "the upstream's answer has a head but no body in time",
    "idle": "the upstream stalled",
    "total": "the upstream took too long in all",
}
