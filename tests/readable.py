"""Is there something to read? By poll(2), which knows no bound of descriptors: a process of the
suite may hold more than the 1024 that select(2) can name."""

from __future__ import annotations

import select


def readable(fd: int, seconds: float = 0.0) -> bool:
    """Waits at most so long."""
    asked = select.poll()
    asked.register(fd, select.POLLIN)
    return bool(asked.poll(seconds * 1000))
