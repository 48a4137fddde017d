"""A target that fails again and again is left alone, then one attempt decides."""

from __future__ import annotations


class Pause:
    """A circuit breaker of one target; the caller holds a lock. Times: monotonic seconds."""

    def __init__(self, failures: int, pause: float) -> None:
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._until = 0.0
        self._probing = False

    def wait(self, now: float) -> float:
        """Seconds until an attempt may begin; not above 0: now."""
        if self._failures < self._limit:
            return 0.0
        if self._probing:
            return self._pause
        return self._until - now

    def began(self) -> None:
        self._probing = self._failures >= self._limit

    def withdrawn(self) -> None:
        """What began was no attempt after all."""
        self._probing = False

    def ended(self, well: bool, now: float) -> None:
        self._probing = False
        if well:
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= self._limit:
            self._until = now + self._pause

    def state(self, now: float) -> str:
        """closed, open or half-open"""
        if self._failures < self._limit:
            return "closed"
        return "open" if self._until > now and not self._probing else "half-open"
