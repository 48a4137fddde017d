"""What the cache did, for whom, and what it would do with more or less memory.

Fed with each batch of records after its commit. A record names the key that was looked for,
what the answer takes in the cache and why nothing was kept, so nothing is measured twice:

    study.stored(records)     # the recorder's thread
    study.publish()           # every few seconds
    study.curve()             # any thread: hit ratio, money and time at other sizes
    study.hot(20)             # the keys asked for most
    study.by_route(), study.by_tenant()

The curve is that of an LRU cache, from reuse distances of a sample of keys. The real cache
weighs what an entry saves as well, so it keeps at least the money of the curve, and its hit
ratio may be a little off; the measured ratio stands beside the predicted one. The past fades
with a half-life of a day. All of it begins anew with the control process.

RAM: 4,096 keys followed (430 KiB), 128 hot keys, 16 routes and 65 tenants: under 600 KiB.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from pihub.shared.events import ANSWERED_HERE, CacheState
from pihub.shared.metrics import Foretold
from pihub.shared.reuse import Reuse
from pihub.shared.state import SharedState
from pihub.store.layout import at, decode

FOLLOWED = 4096
HOT = 128
"""Keys counted for the list of hot ones (space-saving: Metwally, Agrawal, El Abbadi, 2005)."""
TENANTS = 64
OTHERS = -1
"""The tenants beyond the first `TENANTS`, together."""
HALF_LIFE = 86400.0
FADE_EVERY = 600.0
LEAST_SECONDS = 3600.0
"""A shorter time is not multiplied up to a day: it counts as an hour."""
SIZES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the present size; what the page shows."""
HEADERS = 256
"""Bytes that an entry takes beside the answer, where only the answer's length is known."""

_TS, _COST, _SAVED, _DUR = at("ts_ns"), at("cost_nano"), at("saved_nano"), at("dur_us")
_OUT, _STATUS, _TENANT, _ROUTE = at("bytes_out"), at("status"), at("tenant"), at("route")
_UPSTREAM, _ALIAS, _CACHE = at("upstream"), at("alias"), at("cache")
_KEPT, _LOOK, _TTL = at("kept"), at("look"), at("kept_ttl")
_U64 = 2**64 - 1
_started = itemgetter(_TS)


@dataclass(slots=True)
class Tally:
    """Of one route or tenant, since the control process began."""

    hits: int = 0
    """From the cache or another request's flight."""
    misses: int = 0
    bypasses: int = 0
    refusals: int = 0
    """Negative entries: what an upstream refused before."""
    fills: int = 0
    """Answers kept."""
    filled_bytes: int = 0
    saved_nano: int = 0
    saved_us: float = 0.0
    """An estimate while more keys are asked for than are followed."""


@dataclass(slots=True)
class HotKey:
    """A key that is asked for often. `count` fades like everything; it is at most `over` too
    high, because a key that comes new inherits the count of the one it displaces."""

    look: int
    tenant: int
    count: float
    over: float = 0.0
    hits: int = 0
    saved_nano: int = 0
    bytes: int = 0
    route: int = 0
    alias: int = 0
    """Name number of the model asked for, 0 for an API."""
    upstream: int = 0
    last: float = 0.0
    """Unix seconds."""


class Point(NamedTuple):
    """The cache at one size: a share of look-ups, USD and seconds a day."""

    size: float
    """Of the present one."""
    bytes: int
    hit_ratio: float
    usd_a_day: float
    seconds_a_day: float


class Curve(NamedTuple):
    """`measured`: the share of the same look-ups that the cache really answered; None as long
    as there was none. `sample`: part of the keys that is followed."""

    points: tuple[Point, ...]
    measured: float | None
    looks: float
    sample: float
    seconds: float
    """That the look-ups stand for, faded like them."""


class CacheStudy:
    """One thread feeds it; any may ask."""

    def __init__(
        self, state: SharedState, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.Lock()
        self._reuse = Reuse(FOLLOWED)
        self._hot: dict[tuple[int, int], HotKey] = {}
        self._routes: dict[int, Tally] = {}
        self._tenants: dict[int, Tally] = {}
        self._answered = 0.0
        self._seconds = 0.0
        self._faded = self._seen = clock()

    def stored(self, records: Sequence[bytes]) -> None:
        """A batch that was committed; in any order."""
        rows = sorted(decode(records), key=_started)
        with self._lock:
            now = self._clock()
            self._seconds += now - self._seen
            self._seen = now
            for row in rows:
                if row[_CACHE]:
                    self._count(row)
            if now - self._faded >= FADE_EVERY:
                self._fade(0.5 ** ((now - self._faded) / HALF_LIFE))
                self._faded = now

    def curve(self) -> Curve:
        """The prediction for `SIZES`."""
        capacity = self._state.cache.stats()["capacity"] * self._state.cache.room() // 1000
        with self._lock:
            looks, seconds = self._reuse.looks, self._seconds + self._clock() - self._seen
            days = max(seconds, LEAST_SECONDS) / 86400
            points = []
            for size in SIZES:
                count, nano, us = self._reuse.within(size * capacity)
                points.append(
                    Point(
                        size,
                        int(size * capacity),
                        count / looks if looks else 0.0,
                        nano / 1e9 / days,
                        us / 1e6 / days,
                    )
                )
            measured = self._answered / looks if looks else None
            return Curve(tuple(points), measured, looks, self._reuse.rate, seconds)

    def hot(self, limit: int, tenant: int | None = None) -> list[HotKey]:
        """The keys asked for most; of one tenant, if it is named."""
        with self._lock:
            found = [one for one in self._hot.values() if tenant in (None, one.tenant)]
        return sorted(found, key=lambda one: -one.count)[:limit]

    def by_route(self) -> dict[int, Tally]:
        with self._lock:
            return dict(self._routes)

    def by_tenant(self) -> dict[int, Tally]:
        """At most `TENANTS`, and `OTHERS`."""
        with self._lock:
            return dict(self._tenants)

    def _count(self, row: tuple[int, ...]) -> None:
        tenant, cache, look = row[_TENANT], row[_CACHE], row[_LOOK] & _U64
        answered = cache in ANSWERED_HERE
        took = 0.0
        if look and cache != CacheState.NEGATIVE:
            took = self._look(row, look, tenant, cache == CacheState.MISS) / self._reuse.rate
            self._answered += answered
            self._warm(row, look, tenant, answered)
        for table, at_ in ((self._routes, row[_ROUTE]), (self._tenants, self._row(tenant))):
            one = table.get(at_)
            if one is None:
                one = table[at_] = Tally()
            if answered:
                one.hits += 1
                one.saved_nano += max(row[_SAVED], 0)
                one.saved_us += max(took - row[_DUR], 0.0)
            elif cache == CacheState.MISS:
                one.misses += 1
                one.fills += row[_KEPT] > 0
                one.filled_bytes += row[_KEPT]
            elif cache == CacheState.NEGATIVE:
                one.refusals += 1
            else:
                one.bypasses += 1

    def _row(self, tenant: int) -> int:
        full = len(self._tenants) >= TENANTS and tenant not in self._tenants
        return OTHERS if full else tenant

    def _look(self, row: tuple[int, ...], look: int, tenant: int, missed: bool) -> int:
        made, size = None, 2 * row[_OUT] + HEADERS
        if missed:
            made = (max(row[_COST], 0), row[_DUR]) if row[_STATUS] < 400 else None
            size = row[_KEPT]
        second = row[_TS] // 1_000_000_000 & 0xFFFFFFFF
        return self._reuse.see(look, tenant, second, min(size, 2**32 - 1), row[_TTL], made)

    def _warm(self, row: tuple[int, ...], look: int, tenant: int, answered: bool) -> None:
        at_ = (look, tenant)
        one = self._hot.get(at_)
        if one is None:
            over = 0.0
            if len(self._hot) >= HOT:
                least = min(self._hot.values(), key=lambda other: other.count)
                del self._hot[least.look, least.tenant]
                over = least.count
            one = self._hot[at_] = HotKey(look, tenant, over, over)
        one.count += 1
        one.hits += answered
        one.saved_nano += max(row[_SAVED], 0) if answered else 0
        one.bytes = row[_KEPT] or one.bytes
        one.route, one.last = row[_ROUTE], row[_TS] / 1e9
        one.alias, one.upstream = row[_ALIAS] or one.alias, row[_UPSTREAM] or one.upstream

    def _fade(self, part: float) -> None:
        self._reuse.fade(part)
        self._answered *= part
        self._seconds *= part
        for one in self._hot.values():
            one.count *= part
            one.over *= part

    def publish(self) -> None:
        """Write the prediction where every process reads it, for /metrics."""
        curve = self.curve()
        put = self._state.foretold.set
        half, same, double = curve.points[1:4]
        for column, point in ((0, half), (1, same), (2, double)):
            put(0, Foretold.HALF_PPM + column, round(point.hit_ratio * 1e6))
            put(0, Foretold.HALF_NANO + column, round(point.usd_a_day * 1e9))
            put(0, Foretold.HALF_MS + column, round(point.seconds_a_day * 1e3))
        put(0, Foretold.SAMPLE_PPM, round(curve.sample * 1e6))
