"""What a metric family is: its name, and how its values are read for one answer of /metrics.

A family is added by one row in a table: METRICS (metrics.py) is all tables, and both what is
told and what the documentation is compared with are made from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from pihub.domain.target import Target
from pihub.insight.exposition import Histo, Labels, head, histogram, samples
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import Column, Series, gauge
from pihub.shared.routing import now_ms
from pihub.shared.state import SharedState
from pihub.shared.vitals import read

MICRO = 1_000_000
LATENCY_BOUNDS_US = (
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000,
)  # fmt: skip
Values = Iterable[tuple[Labels, float]]
"""Empty: the family is left out of the answer."""


class Scrape:
    """Where the values of one answer come from; what several families need is read once."""

    def __init__(
        self, state: SharedState, health: HealthBoard, targets: Sequence[Target] = ()
    ) -> None:
        self.state = state
        self.health = health
        self.targets = targets

    @cached_property
    def cache(self) -> Mapping[str, int]:
        return self.state.cache.stats()

    @cached_property
    def upstreams(self) -> Mapping[str, Mapping[str, int | str]]:
        return self.health.snapshot()

    @cached_property
    def queues(self) -> Mapping[str, tuple[int, int, int]]:
        """(waiting, running, predicted wait in ms) by upstream."""
        now = now_ms()
        return {name: self.state.queues.load(row, now) for name, row in self.health.rows.items()}

    @cached_property
    def published(self) -> Mapping[str, list[tuple[Labels, float]]]:
        """What the control process judged (shared/vitals.py), by family."""
        found: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for one in read(self.state.vitals):
            found[one.family].append((dict(one.labels), one.value))
        return found


class Metric(NamedTuple):
    """A counter or gauge: its name carries its unit, its help ends without a period."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: Callable[[Scrape], Values]

    def lines(self, scrape: Scrape) -> list[str]:
        found = samples(self.name, self.values(scrape))
        return [*head(self.name, self.kind, self.help), *found] if found else []


class Histogram(NamedTuple):
    """The same of times, in seconds."""

    name: str
    help: str
    series: Callable[[Scrape], Iterable[Histo]]

    @property
    def kind(self) -> Literal["histogram"]:
        return "histogram"

    def lines(self, scrape: Scrape) -> list[str]:
        found = histogram(self.name, self.series(scrape))
        return [*head(self.name, self.kind, self.help), *found] if found else []


Family = Metric | Histogram


def counter(name: str, help_: str, column: Column, *, unit: int = 1) -> Metric:
    """A column of all processes' counters; `unit`: how many of it make one."""

    def values(scrape: Scrape) -> Values:
        total = scrape.state.counters.total(column)
        return [({}, total / unit if unit > 1 else total)]

    return Metric(name, "counter", help_, values)


def level(name: str, help_: str, column: Column) -> Metric:
    """The same of what goes up and down."""
    return Metric(name, "gauge", help_, lambda one: [({}, gauge(one.state.counters.total(column)))])


def times(name: str, help_: str, series: Series) -> Histogram:
    """The durations of one series, of all processes."""
    return Histogram(name, help_, lambda one: [durations(one, series, LATENCY_BOUNDS_US)])


def durations(
    scrape: Scrape, series: Series, bounds: tuple[int, ...], labels: Labels | None = None
) -> Histo:
    """`bounds` in microseconds."""
    latency = scrape.state.latency
    # The buckets before the count: what is recorded in between can only raise the latter.
    cumulative = latency.cumulative(series, bounds)
    return Histo(
        labels or {},
        [bound / MICRO for bound in bounds],
        cumulative,
        latency.count(series),
        latency.sum(series) / MICRO,
    )
