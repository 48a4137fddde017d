"""Adaptive flushing: each token at once while the worker has time, gathered under load.

With few streams a token is sent as it comes. From `busy_from` open streams on, a stream
reads its upstream at most once each `gap` seconds, so that what came meanwhile is parsed
and sent together: fewer wake-ups, system calls and packets for the same tokens. The first
content is never held, and nothing waits longer than `gap`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from pihub.domain.ports import Waiter

SHORTEST = 0.002
"""Seconds; a shorter sleep costs more than it gathers."""


class Pace:
    """One worker's. `streams()` is the number of its open streams."""

    def __init__(
        self, waiter: Waiter, streams: Callable[[], int], *, gap: float, busy_from: int
    ) -> None:
        self._waiter = waiter
        self._streams = streams
        self._gap = gap
        self._busy_from = busy_from

    def begin(self, client_fd: int) -> Callable[[], None] | None:
        """To be called before each read after the first content; None: never waits."""
        if not self._gap:
            return None
        last = monotonic()

        def wait() -> None:
            nonlocal last
            now = monotonic()
            left = last + self._gap - now
            if left > SHORTEST and self._streams() >= self._busy_from:
                self._waiter.sleep(left, client_fd=client_fd)
                now = monotonic()
            last = now

        return wait
