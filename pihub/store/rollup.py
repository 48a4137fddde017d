"""What a batch of records adds to the roll-ups: grouped in one pass, summed by columns."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from pihub.shared.events import Flag
from pihub.store.latency import Buckets, bucket, merge
from pihub.store.layout import FIELDS, Row, at

MINUTE_NS = 60_000_000_000
MOST_NANO = 10**15
"""A million USD: a request that claims to cost more is damaged, and its sums must not
overflow the 63 bits of the column, or no later batch could be stored."""

DIMENSIONS = ("none", "tenant", "key", "route", "model", "upstream", "status", "cache")
"""Of reports: "none", then the parts of a Key from its second on. Stored by their place."""

Key = tuple[int, ...]
"""Span, tenant, key, route, model, upstream, status class, cache, simulated."""

_SUMMED = slice(at("cost_nano"), at("cache_write_tok") + 1)
if FIELDS[_SUMMED] != (
    "cost_nano", "saved_nano", "dur_us", "ttft_us",
    "in_tok", "out_tok", "cache_read_tok", "cache_write_tok",
):  # fmt: skip
    raise ImportError("the record's fields are not in the order that is summed here")
_time = itemgetter(at("ts_ns"))
_summed = itemgetter(_SUMMED)
_kind = itemgetter(
    *map(at, ("tenant", "key", "route", "model", "upstream", "status", "cache", "flags"))
)


class Sums:
    """What one roll-up row gains."""

    __slots__ = ("latency", "values")

    def __init__(self, values: tuple[int, ...], latency: Buckets) -> None:
        self.values = values
        """requests, in_tok, out_tok, cache_read_tok, cache_write_tok, cost_nano, unpriced,
        saved_nano, dur_us, ttft_us, ttft_count"""
        self.latency = latency

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sums:
        """`rows`, one at least, hold the fields of _SUMMED."""
        cost, saved, dur, ttft, in_tok, out_tok, read, written = zip(*rows, strict=True)
        values = (
            len(rows),
            sum(in_tok),
            sum(out_tok),
            sum(read),
            sum(written),
            _money(cost),
            sum(one < 0 for one in cost) if min(cost) < 0 else 0,
            _money(saved),
            sum(dur),
            sum(ttft),
            len(rows) - ttft.count(0),
        )
        return cls(values, Counter(map(bucket, dur)))

    def __add__(self, other: Sums) -> Sums:
        latency = dict(self.latency)
        merge(latency, other.latency)
        return Sums(tuple(map(int.__add__, self.values, other.values)), latency)


def by_minute(rows: Sequence[Row], number: Callable[[int], int]) -> dict[Key, Sums]:
    """`rows` as `layout.decode` gives them, in any order; `number` maps the arena's names to
    stored ones."""
    out: dict[Key, Sums] = {}
    for minute, part in _minutes(sorted(rows, key=_time)):
        groups: defaultdict[Row, list[Row]] = defaultdict(list)
        for kind, summed in zip(map(_kind, part), map(_summed, part), strict=True):
            groups[kind].append(summed)
        for (tenant, key, route, model, upstream, status, cache, flags), group in groups.items():
            _put(
                out,
                (minute, tenant, key, route, number(model), number(upstream),
                 status_class(status), cache, int(bool(flags & Flag.SIMULATED))),
                Sums.of(group),
            )  # fmt: skip
    return out


def coarser(sums: dict[Key, Sums], per: int) -> dict[Key, Sums]:
    """Sums of `per` spans each."""
    out: dict[Key, Sums] = {}
    for key, part in sums.items():
        _put(out, (key[0] // per, *key[1:]), part)
    return out


def margins(sums: dict[Key, Sums]) -> dict[Key, Sums]:
    """The same sums by (span, dimension, value), one dimension at a time."""
    values: dict[Key, list[int]] = {}
    latency: dict[Key, Buckets] = {}
    for key, part in sums.items():
        for dimension in range(len(DIMENSIONS)):
            place = (key[0], dimension, key[dimension] if dimension else 0)
            into = values.get(place)
            if into is None:
                values[place] = list(part.values)
                latency[place] = dict(part.latency)
            else:
                values[place] = list(map(int.__add__, into, part.values))
                merge(latency[place], part.latency)
    return {place: Sums(tuple(one), latency[place]) for place, one in values.items()}


def status_class(status: int) -> int:
    """1 to 5, and 0 for 499 (the client left), as on /metrics."""
    return 0 if status == 499 else min(status // 100, 5)


def _put(sums: dict[Key, Sums], key: Key, part: Sums) -> None:
    found = sums.get(key)
    sums[key] = part if found is None else found + part


def _minutes(rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[Row]]]:
    start = 0
    while start < len(rows):
        minute = _time(rows[start]) // MINUTE_NS
        end = bisect_left(rows, (minute + 1) * MINUTE_NS, start, key=_time)
        yield minute, rows[start:end]
        start = end


def _money(amounts: Sequence[int]) -> int:
    """The sum of what is known."""
    if min(amounts) < 0 or max(amounts) > MOST_NANO:
        return sum(min(max(one, 0), MOST_NANO) for one in amounts)
    return sum(amounts)
