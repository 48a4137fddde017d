"""The obvious twin of pihub._core.limiter: a leaky bucket whose level drains by the clock."""

from __future__ import annotations

NEVER = 2**63 - 1


class Limiter:
    """One row."""

    def __init__(self) -> None:
        self.interval = self.burst = self.level = self.at = 0

    def drain(self, now: int) -> None:
        self.level = max(0, self.level - (now - self.at))
        self.at = now

    def hit(self, now: int, cost: int) -> int:
        if self.interval == 0:
            return 0
        if cost > self.burst:
            return NEVER
        self.drain(now)
        over = self.level + cost * self.interval - self.burst * self.interval
        if over > 0:
            return over
        self.level += cost * self.interval
        return 0

    def remaining(self, now: int) -> int:
        if self.interval == 0:
            return -1
        self.drain(now)
        return max(0, self.burst * self.interval - self.level) // self.interval
