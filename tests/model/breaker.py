"""The obvious twin of pihub._core.breaker: a list of outcomes and four rules."""

from __future__ import annotations

CLOSED, OPEN, HALF_OPEN = 0, 1, 2


class Breaker:
    """One row."""

    def __init__(self, failures: int, window_ms: int, open_ms: int, probe_ms: int) -> None:
        self.failures, self.open_ms, self.probe_ms = failures, open_ms, probe_ms
        self.slice = max(1, window_ms // 16)
        self.kind, self.until = CLOSED, 0
        self.calls: list[tuple[int, bool]] = []

    def to(self, kind: int, until: int) -> None:
        self.kind, self.until = kind, until
        self.calls = []

    def allow(self, now: int) -> bool:
        if self.kind == CLOSED:
            return True
        if now < self.until:
            return False
        self.to(HALF_OPEN, now + self.probe_ms)
        return True

    def counts(self, now: int) -> tuple[int, int]:
        oldest = now // self.slice - 15
        recent = [ok for at, ok in self.calls if at // self.slice >= oldest]
        return sum(recent), len(recent) - sum(recent)

    def record(self, ok: bool, now: int) -> None:
        if self.kind == CLOSED:
            self.calls.append((now, ok))
            if not ok and self.counts(now)[1] >= self.failures:
                self.to(OPEN, now + self.open_ms)
        elif self.kind == HALF_OPEN:
            if ok:
                self.to(CLOSED, 0)
            else:
                self.to(OPEN, now + self.open_ms)

    def release(self, now: int) -> None:
        if self.kind == HALF_OPEN and now < self.until:
            self.until = now

    def state(self, now: int) -> int:
        if self.kind == OPEN and now >= self.until:
            return HALF_OPEN
        return self.kind

    def retry_in_ms(self, now: int) -> int:
        return 0 if self.kind == CLOSED else max(0, self.until - now)
