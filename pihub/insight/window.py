"""Rates over the last minute, from totals that only ever grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Buckets = Mapping[tuple[int, int], int]
"""(lowest, highest) value -> count, as a histogram gives them."""


class Sample(NamedTuple):
    at: float
    """Monotonic seconds."""
    totals: Mapping[str, int]
    latency: Buckets
    ttft: Buckets


class Window:
    """The samples of the last `seconds`, at most `most` of them.

    RAM: a sample has some hundred buckets of 150 bytes; 13 samples are under 1 MiB.
    """

    def __init__(self, seconds: float = 60.0, most: int = 13) -> None:
        self._seconds = seconds
        self._gap = seconds / (most - 1)
        self._samples: deque[Sample] = deque(maxlen=most)
        self._last: Sample | None = None
        self._previous: Sample | None = None

    def add(self, sample: Sample) -> None:
        self._previous, self._last = self._last, sample
        if not self._samples or sample.at - self._samples[-1].at >= self._gap:
            self._samples.append(sample)
        while len(self._samples) > 1 and sample.at - self._samples[0].at > self._seconds:
            self._samples.popleft()

    def delta(self, name: str) -> int:
        """Growth over the window."""
        if self._last is None:
            return 0
        return max(0, self._last.totals[name] - self._samples[0].totals[name])

    def rate(self, name: str) -> float:
        """Per second, between the last two samples: what happens now."""
        last, previous = self._last, self._previous
        if last is None or previous is None or last.at <= previous.at:
            return 0.0
        return max(0, last.totals[name] - previous.totals[name]) / (last.at - previous.at)

    def per_minute(self, name: str) -> float:
        """Over the window; a hub younger than that counts what there was."""
        return self.delta(name) * 60.0 / self._seconds

    def latency(self, qs: Sequence[float]) -> tuple[float, ...]:
        """Quantiles of the requests that ended within the window, microseconds."""
        return self._quantiles("latency", qs)

    def ttft(self, qs: Sequence[float]) -> tuple[float, ...]:
        return self._quantiles("ttft", qs)

    def _quantiles(self, field: str, qs: Sequence[float]) -> tuple[float, ...]:
        if self._last is None:
            return tuple(0.0 for _ in qs)
        now: Buckets = getattr(self._last, field)
        then: Buckets = getattr(self._samples[0], field)
        counts = [(edge, count - then.get(edge, 0)) for edge, count in sorted(now.items())]
        counts = [(edge, count) for edge, count in counts if count > 0]
        total = sum(count for _, count in counts)
        return tuple(_quantile(counts, total, q) for q in qs)


def _quantile(counts: Sequence[tuple[tuple[int, int], int]], total: int, q: float) -> float:
    seen = 0
    value = 0.0
    for (low, high), count in counts:
        seen += count
        value = (low + high) / 2
        if seen >= q * total:
            break
    return value
