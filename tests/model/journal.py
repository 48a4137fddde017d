"""The obvious twin of pihub._core.journal: what one finished request adds where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from pihub.domain.event import Reason
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.metrics import (
    ROUTE_COLUMNS,
    ROUTE_WHY,
    Column,
    Route,
    Series,
    cache_column,
    route_column,
    why_column,
)

COLUMNS = {
    CacheState.HIT: Column.HITS,
    CacheState.MISS: Column.MISSES,
    CacheState.BYPASS: Column.BYPASSES,
    CacheState.SHARED: Column.SHARED,
    CacheState.STALE: Column.STALE,
    CacheState.NEGATIVE: Column.NEGATIVE,
}
TIMED = (
    Series.INSPECT, Series.LOOKUP, Series.ROUTE, Series.CALL, Series.RENDER, Series.REMEMBER,
)  # fmt: skip
STORED = ("inspect_us", "lookup_us", "route_us", "call_us", "render_us")


@dataclass
class Journal:
    """Sums of one row of counters and routes; counts and sums of each series."""

    routes: int
    """How many routes have columns."""
    counters: Counter[int] = field(default_factory=Counter)
    by_route: Counter[int] = field(default_factory=Counter)
    counts: Counter[int] = field(default_factory=Counter)
    sums: Counter[int] = field(default_factory=Counter)

    def write(self, event: Record, marks: list[int]) -> None:
        """`event` as it was recorded; `marks` in CLOCK_MONOTONIC ns."""
        add = self.counters
        add[Column.REQUESTS] += 1
        if event.cache in COLUMNS:
            add[COLUMNS[CacheState(event.cache)]] += 1
        if event.reason == Reason.REFUSED:
            add[Column.REFUSED] += 1
        if event.status >= 500:
            add[Column.ERRORS] += 1
        if event.flags & Flag.CLIENT_GONE:
            add[Column.CLIENT_GONE] += 1
        add[Column.BYTES_IN] += event.bytes_in
        add[Column.BYTES_OUT] += event.bytes_out
        if event.attempts:
            add[Column.TOKENS_IN] += event.in_tok
            add[Column.TOKENS_OUT] += event.out_tok
        add[Column.COST_NANO] += max(event.cost_nano, 0)
        add[Column.SAVED_NANO] += max(event.saved_nano, 0)
        if event.route < self.routes:
            self.by_route[route_column(event.route, event.status)] += 1
            if event.cache in COLUMNS:
                self.by_route[cache_column(event.route, event.cache)] += 1
            if 0 < event.why < ROUTE_COLUMNS - ROUTE_WHY:
                self.by_route[why_column(event.route, event.why)] += 1
        self.time(Series.REQUEST, event.dur_us)
        if event.ttft_us and event.route != Route.API:
            self.time(Series.TTFT, event.ttft_us)
        for index, micros in enumerate(stages(marks)):
            self.time(TIMED[index], micros)

    def time(self, series: Series, micros: int) -> None:
        self.counts[series] += 1
        self.sums[series] += micros


def stages(marks: list[int]) -> list[int]:
    """Microseconds between the marks; the first only begins the first stage."""
    return [max(b - a, 0) // 1000 for a, b in pairwise(marks)]
