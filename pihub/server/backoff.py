"""How long to wait before a process that keeps dying is started again."""

from __future__ import annotations

FIRST = 0.1
LONGEST = 5.0
STABLE = 10.0
"""Seconds: the first delay, the longest, and the life after which all is forgotten."""


class Backoff:
    """Doubling delays: a process that dies young waits longer each time.

    One death after a stable life restarts at once.
    """

    __slots__ = ("_delay", "_not_before")

    def __init__(self) -> None:
        self._delay = 0.0
        self._not_before = 0.0

    def died(self, age: float, now: float) -> float:
        """Note a death at `now` after `age` seconds of life; returns the delay."""
        if age >= STABLE:
            self._delay = 0.0
        self._not_before = now + self._delay
        used = self._delay
        self._delay = min(max(self._delay * 2, FIRST), LONGEST)
        return used

    def wait(self, now: float) -> float:
        """Seconds until the next start is allowed; 0 if it is."""
        return max(self._not_before - now, 0.0)
