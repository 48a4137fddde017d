"""The obvious twin of pihub._core.histogram: the values themselves."""

from __future__ import annotations

import math


class Histogram:
    def __init__(self, series: int) -> None:
        self.values: list[list[int]] = [[] for _ in range(series)]

    def record(self, series: int, value: int) -> None:
        self.values[series].append(value)

    def count(self, series: int) -> int:
        return len(self.values[series])

    def sum(self, series: int) -> int:
        return sum(self.values[series]) % (1 << 64)

    def quantile(self, series: int, q: float) -> float:
        """The value of rank ceil(q * n), from 1."""
        values = sorted(self.values[series])
        if not values:
            return 0.0
        return values[max(1, math.ceil(q * len(values))) - 1]

    def cumulative(self, series: int, bound: int) -> int:
        return sum(value <= bound for value in self.values[series])
