"""An eventfd that one thread sleeps on and any process rings."""

from __future__ import annotations

import os
import select


class Bell:
    """Around a non-blocking eventfd that the caller keeps open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def ring(self) -> None:
        """The next `wait`, or the one that is going on, ends at once."""
        try:
            os.eventfd_write(self._fd, 1)
        except BlockingIOError:  # rung 2**64 - 2 times and never heard
            pass

    def wait(self, seconds: float) -> bool:
        """Whether it rang within `seconds`, or since the last wait."""
        if not self._poll.poll(max(0.0, seconds) * 1000):
            return False
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:  # another thread was quicker
            pass
        return True
