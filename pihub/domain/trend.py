"""Where a measured value goes: simple estimators that one wild sample does not mislead.

Each takes samples one by one in constant time and memory. `Trend` is all that callers see,
so that another estimator is one class and one line in `ESTIMATORS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple, Protocol

LEAST = 8
"""Samples before a slope is told."""
REACH = 30.0
"""A trend is carried on for so many times the time that it was seen for, no further."""


class Trend(NamedTuple):
    """A value and its slope, as of the last sample."""

    level: float
    slope: float
    """A second."""
    low: float
    high: float
    """The slope's bounds at 90 % confidence."""
    span: float
    """Seconds of observation behind it."""

    @property
    def steady(self) -> bool:
        """It may as well not move at all."""
        return self.low <= 0.0 <= self.high

    def reaches(self, limit: float, *, falling: bool) -> float | None:
        """Seconds until the limit; 0: it is there; None: not as far as can be said."""
        gap = self.level - limit if falling else limit - self.level
        if gap <= 0:
            return 0.0
        toward = -self.slope if falling else self.slope
        if self.steady or toward <= 0:
            return None
        wait = gap / toward
        return wait if wait <= self.span * REACH else None


class Estimator(Protocol):
    """What forecasts are made by."""

    def add(self, at: float, value: float) -> None:
        """`at`: seconds, growing."""

    def trend(self) -> Trend | None:
        """None: too little is known."""

    def reset(self) -> None:
        """The value began anew (a new day's budget)."""


class TheilSen:
    """The median of the slopes of all pairs, over a window that widens as time passes.

    Up to 29 % of wild samples do not move it. The bounds are Sen's, from the variance of
    Kendall's S. Adding is O(1): when the window is full, every second sample goes and the
    distance doubles, up to `widest`. Asking sorts 1,128 slopes, about 0.3 ms.
    Source: P. K. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau",
    JASA 63 (1968). RAM: 48 pairs of numbers, 6 KiB.
    """

    SIZE = 48

    def __init__(self, gap: float = 60.0, widest: float = 3600.0) -> None:
        """`gap`: seconds between kept samples at first, `widest` at last."""
        self._first = gap
        self._widest = widest
        self._gap = gap
        self._kept: list[tuple[float, float]] = []
        self._last: tuple[float, float] | None = None

    def add(self, at: float, value: float) -> None:
        self._last = (at, value)
        if self._kept and at - self._kept[-1][0] < self._gap:
            return
        self._kept.append(self._last)
        if len(self._kept) > self.SIZE:
            if self._gap * 2 <= self._widest:
                self._gap *= 2
                del self._kept[1::2]
            else:
                del self._kept[0]

    def reset(self) -> None:
        self._gap = self._first
        self._kept.clear()
        self._last = None

    def trend(self) -> Trend | None:
        kept, last = self._kept, self._last
        count = len(kept)
        if last is None or count < LEAST:
            return None
        slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(kept, 2))
        spread = 1.645 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
        middle = len(slopes) / 2
        half = spread / 2
        low = slopes[max(0, math.floor(middle - half))]
        high = slopes[min(len(slopes) - 1, math.ceil(middle + half))]
        slope = _middle(slopes)
        # The last kept samples' median about the line: one wild sample is not the level.
        near = kept[-5:]
        level = _middle(sorted(v + slope * (last[0] - t) for t, v in near))
        return Trend(level, slope, low, high, last[0] - kept[0][0])


class Holt:
    """Level and damped slope by exponential smoothing; samples far off are pulled in first.

    For what moves within minutes. A sample may be off by `CLIP` scales; the scale follows
    the absolute errors of the one-step forecasts. Source: S. Gelper, R. Fried, C. Croux,
    "Robust forecasting with exponential and Holt-Winters smoothing", J. Forecasting 29 (2010).
    RAM: seven numbers.
    """

    CLIP = 2.0
    TO_SIGMA = 1.2533
    """Of a mean absolute deviation, where errors are normal."""

    def __init__(self, level: float = 0.2, slope: float = 0.05, damping: float = 0.98) -> None:
        self._alpha, self._beta, self._phi = level, slope, damping
        self.reset()

    def reset(self) -> None:
        self._count = 0
        self._level = self._slope = self._error = 0.0
        self._begun = self._at = 0.0

    def add(self, at: float, value: float) -> None:
        if not self._count:
            self._begun, self._at, self._level, self._count = at, at, value, 1
            return
        step = at - self._at
        if step <= 0:
            return
        self._at = at
        self._count += 1
        expected = self._level + self._phi * self._slope * step
        error = value - expected
        off = abs(error)
        if self._count > LEAST:
            bound = self.CLIP * self.TO_SIGMA * self._error
            error = max(-bound, min(bound, error))
            # What is beyond lets the scale grow a little: a real jump must be seen in time.
            off = min(off, 4 * max(self._error, 1e-9))
        self._error += 0.1 * (off - self._error)
        level = expected + self._alpha * error
        slope = (level - self._level) / step
        self._slope = self._beta * slope + (1 - self._beta) * self._phi * self._slope
        self._level = level

    def trend(self) -> Trend | None:
        if self._count < LEAST:
            return None
        span = self._at - self._begun
        step = span / (self._count - 1)
        # What a slope of pure noise looks like: the scale through both smoothings.
        noise = self.TO_SIGMA * self._error * self._alpha * math.sqrt(self._beta) / step
        margin = 1.645 * noise
        return Trend(
            self._level, self._slope, self._slope - margin, self._slope + margin, span
        )


ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "theil-sen": TheilSen,
    "holt": Holt,
}
"""By the name that a forecast tells."""


class Baseline:
    """What is usual, and what is now: two robust running means, a slow and a fast one.

    The slow one takes a sample at most three scales off, so that a bad hour does not become
    the usual; each is O(1). RAM: five numbers.
    """

    KNOWN = 20
    """Samples before the baseline counts."""
    SLOW, FAST = 0.005, 0.2

    __slots__ = ("count", "now", "spread", "usual")

    def __init__(
        self, usual: float = 0.0, spread: float = 0.0, count: int = 0, now: float = 0.0
    ) -> None:
        self.usual = usual
        self.spread = spread
        """Mean absolute deviation from the usual."""
        self.count = count
        self.now = now or usual

    def add(self, value: float) -> None:
        self.count += 1
        if self.count == 1:
            self.usual = self.now = value
            return
        off = value - self.usual
        weight = max(self.SLOW, 1 / self.count)
        if self.count > self.KNOWN:
            bound = 3 * max(self.spread, 0.01 * abs(self.usual))
            off = max(-bound, min(bound, off))
        self.usual += weight * off
        self.spread += weight * (abs(off) - self.spread)
        self.now += self.FAST * (value - self.now)

    @property
    def ratio(self) -> float | None:
        """Now by usual; None: not known yet."""
        if self.count < self.KNOWN or self.usual <= 0:
            return None
        return self.now / self.usual


def _middle(ordered: list[float]) -> float:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2
