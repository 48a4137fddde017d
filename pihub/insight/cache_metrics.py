"""What /metrics says of the cache beyond its fill: by route, why not, and at other sizes."""

from __future__ import annotations

from collections.abc import Iterator

from pihub.domain.whynot import WhyNot
from pihub.insight.exposition import Metric, family
from pihub.shared.events import CacheState
from pihub.shared.metrics import Foretold, Route, cache_column, why_column
from pihub.shared.state import SharedState

BY_ROUTE = Metric(
    "pihub_cache_route_results_total", "counter", "What the cache did for requests of a route"
)
UNKEPT = Metric(
    "pihub_cache_unkept_total", "counter", "Requests not answered from the cache or not kept"
)
FORETOLD = Metric(
    "pihub_cache_predicted_hit_ratio", "gauge", "Predicted share of look-ups answered, by size"
)
MONEY = Metric(
    "pihub_cache_predicted_saved_usd_per_day", "gauge", "Predicted savings a day, by size"
)
TIME = Metric(
    "pihub_cache_predicted_saved_seconds_per_day", "gauge", "Predicted time saved a day, by size"
)
SAMPLE = Metric(
    "pihub_cache_sampled_key_ratio", "gauge", "Part of all keys that the predictions follow"
)
ROOM = Metric(
    "pihub_cache_room_ratio", "gauge", "Part of its size that the cache may use; 1 is all of it"
)
LARGEST = Metric("pihub_cache_largest_value_bytes", "gauge", "Size of the largest entry it takes")
CACHE = (ROOM, LARGEST, BY_ROUTE, UNKEPT, FORETOLD, MONEY, TIME, SAMPLE)
_SIZES = ("half", "same", "double")


def cache_lines(state: SharedState) -> Iterator[str]:
    total = state.routes.total
    yield from family(ROOM, [({}, state.cache.room() / 1000)])
    yield from family(LARGEST, [({}, state.cache.max_value)])
    yield from family(
        BY_ROUTE,
        [
            ({"route": route.name.lower(), "result": one.name.lower()}, count)
            for route in Route
            for one in CacheState
            if one and (count := total(cache_column(route, one)))
        ],
    )
    yield from family(
        UNKEPT,
        [
            ({"route": route.name.lower(), "reason": why.word}, count)
            for route in Route
            for why in WhyNot
            if why and (count := total(why_column(route, why)))
        ],
    )
    told = state.foretold.total
    for metric, first, unit in (
        (FORETOLD, Foretold.HALF_PPM, 1e6),
        (MONEY, Foretold.HALF_NANO, 1e9),
        (TIME, Foretold.HALF_MS, 1e3),
    ):
        yield from family(
            metric,
            [({"size": size}, told(first + n) / unit) for n, size in enumerate(_SIZES)],
        )
    yield from family(SAMPLE, [({}, told(Foretold.SAMPLE_PPM) / 1e6)])
