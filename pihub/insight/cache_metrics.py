"""What /metrics says of the cache: its fill, results, why not, and at other sizes."""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.whynot import WhyNot
from pihub.insight.family import Family, Metric, Scrape, Values, counter
from pihub.shared.events import CacheState
from pihub.shared.metrics import Column, Foretold, Route, cache_column, why_column

_RESULTS = {
    "hit": Column.HITS,
    "miss": Column.MISSES,
    "bypass": Column.BYPASSES,
    "shared": Column.SHARED,
    "stale": Column.STALE,
    "negative": Column.NEGATIVE,
}
_SIZES = ("half", "same", "double")


def _results(scrape: Scrape) -> Values:
    total = scrape.state.counters.total
    return [({"result": name}, total(column)) for name, column in _RESULTS.items()]


def _fill(field: str) -> Callable[[Scrape], Values]:
    return lambda scrape: [({}, scrape.cache[field])]


def _by_route(scrape: Scrape) -> Values:
    for route in Route:
        for one in CacheState:
            if one and (count := scrape.state.routes.total(cache_column(route, one))):
                yield {"route": route.name.lower(), "result": one.name.lower()}, count


def _unkept(scrape: Scrape) -> Values:
    for route in Route:
        for why in WhyNot:
            if why and (count := scrape.state.routes.total(why_column(route, why))):
                yield {"route": route.name.lower(), "reason": why.word}, count


def _foretold(first: Foretold, unit: float) -> Callable[[Scrape], Values]:
    return lambda scrape: [
        ({"size": size}, scrape.state.foretold.total(first + n) / unit)
        for n, size in enumerate(_SIZES)
    ]


CACHE: tuple[Family, ...] = (
    Metric("pihub_cache_results_total", "counter", "What the cache did for a request", _results),
    Metric("pihub_cache_route_results_total", "counter",
           "What the cache did for requests of a route", _by_route),
    Metric("pihub_cache_unkept_total", "counter",
           "Requests not answered from the cache or not kept", _unkept),
    counter("pihub_cache_refused_total", "Answers that the cache would not keep",
            Column.CACHE_REFUSED),
    Metric("pihub_cache_entries", "gauge", "Entries in the shared cache", _fill("entries")),
    Metric("pihub_cache_bytes", "gauge", "Bytes of live entries in the shared cache",
           _fill("bytes")),
    Metric("pihub_cache_capacity_bytes", "gauge", "Size of the shared cache in bytes",
           _fill("capacity")),
    Metric("pihub_cache_evictions_total", "counter", "Entries evicted from the cache",
           _fill("evicted")),
    Metric("pihub_cache_room_ratio", "gauge",
           "Part of its size that the cache may use; 1 is all of it",
           lambda scrape: [({}, scrape.state.cache.room() / 1000)]),
    Metric("pihub_cache_largest_value_bytes", "gauge", "Size of the largest entry it takes",
           lambda scrape: [({}, scrape.state.cache.max_value)]),
    counter("pihub_memory_steps_total", "Times that the cache shrank for want of memory",
            Column.MEMORY_STEPS),
    counter("pihub_memory_shed_bytes_total", "Bytes that the cache gave back to the system",
            Column.MEMORY_SHED),
    Metric("pihub_cache_predicted_hit_ratio", "gauge",
           "Predicted share of look-ups answered, by size", _foretold(Foretold.HALF_PPM, 1e6)),
    Metric("pihub_cache_predicted_saved_usd_per_day", "gauge",
           "Predicted savings a day, by size", _foretold(Foretold.HALF_NANO, 1e9)),
    Metric("pihub_cache_predicted_saved_seconds_per_day", "gauge",
           "Predicted time saved a day, by size", _foretold(Foretold.HALF_MS, 1e3)),
    Metric("pihub_cache_sampled_key_ratio", "gauge",
           "Part of all keys that the predictions follow",
           lambda scrape: [({}, scrape.state.foretold.total(Foretold.SAMPLE_PPM) / 1e6)]),
)  # fmt: skip
