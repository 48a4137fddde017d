"""The arbiter's signals, deadlines and ready pipe in one poll(2)."""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from math import ceil

CAUGHT = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCHLD,
)
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGPIPE)


class SignalQueue:
    """Numbers of the signals that arrived, in order, once each time."""

    def __init__(self) -> None:
        self._arrived: deque[int] = deque()
        self._read = self._write = -1
        self._poll = select.poll()
        self._sooner = float("inf")

    def install(self, *watched: int) -> None:
        """Take the signals over and let them through; `watched` descriptors wake too."""
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for signum in CAUGHT:
            signal.signal(signum, self._note)
        for signum in IGNORED:
            signal.signal(signum, signal.SIG_IGN)
        for fd in (self._read, *watched):
            self._poll.register(fd, select.POLLIN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def forget(self) -> None:
        """In a child: the pipe and the handlers are the arbiter's."""
        signal.set_wakeup_fd(-1)
        for signum in CAUGHT:
            signal.signal(signum, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)

    def _note(self, signum: int, frame: object) -> None:
        self._arrived.append(signum)

    def wake_in(self, seconds: float) -> None:
        """The next `wait` lasts no longer than this."""
        self._sooner = min(self._sooner, seconds)

    def wait(self, seconds: float) -> None:
        """Until a signal, a watched descriptor, a `wake_in` or `seconds`."""
        timeout = min(seconds, max(self._sooner, 0.0))
        self._sooner = float("inf")
        self._poll.poll(ceil(timeout * 1000))
        try:
            os.read(self._read, 512)
        except BlockingIOError:
            pass

    def take(self) -> list[int]:
        """What arrived since the last call; SIGCHLD only served to wake."""
        taken: list[int] = []
        while self._arrived:
            signum = self._arrived.popleft()
            if signum != signal.SIGCHLD:
                taken.append(signum)
        return taken
