"""The last quarter of an hour in steps of five seconds, for the charts.

What happened while somebody looked is known by the second; what happened before is
filled in from the minute sums of the database. RAM: 180 steps of 3 numbers, 40 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pihub.store.rows import UsageRow

STEP = 5
"""Seconds."""
STEPS = 180
GAP = 7.5
"""Documents further apart than this say nothing of when the requests between came."""


class Point(NamedTuple):
    """One step. Latencies in ms; None: nothing was answered."""

    rate: float
    """Requests a second."""
    p50: float | None
    p95: float | None


class Tick(NamedTuple):
    """A point and the number of its step: unix seconds // STEP."""

    step: int
    point: Point


class History:
    """Not thread-safe: the feed's lock guards it."""

    def __init__(self) -> None:
        self._points: dict[int, Point] = {}
        self._step = 0
        self._seen = 0
        """Requests of the running step."""
        self._from = 0.0
        """Since when the running step is known."""
        self._last: tuple[float, int] | None = None

    def add(self, picture: Mapping[str, Any]) -> Tick:
        """The newest document's; a step's point grows until the step ends."""
        at, total, now = float(picture["at"]), int(picture["totals"]["requests"]), picture["now"]
        step = int(at // STEP)
        last, self._last = self._last, (at, total)
        if last is None or not 0 < at - last[0] <= GAP:
            last = None
        if step != self._step:
            self._step, self._seen = step, 0
            # The last document's requests belong to the time since the one before.
            self._from = last[0] if last else at
        if last:
            self._seen += max(0, total - last[1])
        span = at - self._from
        rate = self._seen / span if span > 0 else float(now["requests_per_s"])
        point = Point(round(rate, 2), now["p50_ms"] or None, now["p95_ms"] or None)
        self._points[step] = point
        for old in [one for one in self._points if one <= step - STEPS]:
            del self._points[old]
        return Tick(step, point)

    def series(self, at: float, minutes: Iterable[UsageRow]) -> dict[str, Any]:
        """{"last": step, "rate": [...], "p50": [...], "p95": [...]}, oldest first."""
        last = int(at // STEP)
        known = {row.start: row for row in minutes}
        points = [
            self._points.get(step) or _of_minute(known.get(step * STEP // 60 * 60), at)
            for step in range(last - STEPS + 1, last + 1)
        ]
        return {
            "last": last,
            "rate": [point.rate for point in points],
            "p50": [point.p50 for point in points],
            "p95": [point.p95 for point in points],
        }


def _of_minute(row: UsageRow | None, at: float) -> Point:
    if row is None or not row.requests:
        return Point(0.0, None, None)
    span = min(60.0, max(1.0, at - row.start))
    return Point(
        round(row.requests / span, 2), round(row.p50_us / 1000, 2), round(row.p95_us / 1000, 2)
    )
