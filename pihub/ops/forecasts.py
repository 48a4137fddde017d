"""What runs towards a limit, and when it will be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pihub.domain.trend import ESTIMATORS, Estimator, Trend

Unit = Literal["bytes", "celsius", "usd"]
ASK_EVERY = 60.0
"""Seconds between two estimates; samples are taken more often."""
MOST = 80
"""Watched values: the machine's three, and two of each of at most 38 budgets. RAM: 6 KiB each."""


class Forecast(NamedTuple):
    """One watched value as of the last estimate."""

    name: str
    unit: Unit
    value: float
    limit: float
    falling: bool
    """The limit is below the value."""
    per_day: float | None
    """The trend; None: too little is known."""
    steady: bool
    """The trend may as well be none."""
    seconds: float | None
    """Until the limit; 0: it is reached; None: not as far as can be said."""
    seen_s: float
    """How long the value has been watched."""
    estimator: str


@dataclass
class _Watched:
    unit: Unit
    estimator: str
    estimate: Estimator
    falling: bool
    limit: float = 0.0
    value: float = 0.0
    at: float = 0.0
    period: str = ""
    trend: Trend | None = field(default=None)


class Forecasts:
    """Not thread-safe: the health watch's thread alone uses it."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._asked = float("-inf")

    def add(
        self,
        name: str,
        unit: Unit,
        at: float,
        value: float,
        limit: float,
        *,
        falling: bool = False,
        estimator: str = "theil-sen",
        period: str = "",
    ) -> None:
        """`period`: when it changes the value has begun anew, such as a day's spending."""
        found = self._watched.get(name)
        if found is None:
            if len(self._watched) >= MOST:
                return
            found = _Watched(unit, estimator, ESTIMATORS[estimator](), falling, period=period)
            self._watched[name] = found
        if found.period != period:
            found.estimate.reset()
            found.trend, found.period = None, period
        found.limit, found.value, found.at = limit, value, at
        found.estimate.add(at, value)

    def keep(self, names: set[str]) -> None:
        """Forget all others: their budget or sensor is gone."""
        for name in [one for one in self._watched if one not in names]:
            del self._watched[name]

    def ask(self, now: float) -> list[Forecast]:
        """Estimates are made anew once a minute; some milliseconds for ten values."""
        if now - self._asked >= ASK_EVERY:
            self._asked = now
            for one in self._watched.values():
                one.trend = one.estimate.trend()
        return [_forecast(name, one) for name, one in self._watched.items()]


def _forecast(name: str, one: _Watched) -> Forecast:
    reached = one.value <= one.limit if one.falling else one.value >= one.limit
    trend = one.trend
    seconds = 0.0 if reached else None
    if trend is not None and not reached:
        seconds = trend.reaches(one.limit, falling=one.falling)
    return Forecast(
        name,
        one.unit,
        one.value,
        one.limit,
        one.falling,
        None if trend is None else trend.slope * 86400,
        trend is None or trend.steady,
        seconds,
        0.0 if trend is None else trend.span,
        one.estimator,
    )
