"""Which local models are worth having ready: by when they were used on other days.

For each model and hour of the day the mean number of requests is learnt (a moving mean over
days). What the coming quarter of an hour will probably ask for is loaded ahead and kept.
RAM: 24 numbers a model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

HOURS = 24
AHEAD = 900.0
"""Seconds that a model is loaded before its hour."""
DAY = 0.3
"""The weight of the last day: after a week without use a tenth is left."""


class Hours:
    """The learnt use of models by the hour, in the machine's own time zone."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._means: dict[str, list[float]] = {}
        self._counts: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._hour = int(clock() // 3600)

    def count(self, uses: Mapping[str, int]) -> None:
        """`uses`: requests of each model since ever, as counted elsewhere."""
        self._turn()
        for name, total in uses.items():
            fresh = total - self._seen.setdefault(name, total)
            self._seen[name] = total
            if fresh > 0:
                self._counts[name] = self._counts.get(name, 0) + fresh
                self._means.setdefault(name, [0.0] * HOURS)

    def expected(self, name: str) -> float:
        """Requests in the hour that it is in a quarter of an hour, or this one if more."""
        self._turn()
        means = self._means.get(name)
        if means is None:
            return 0.0
        now = self._clock()
        return max(means[_of_day(now)], means[_of_day(now + AHEAD)])

    def dump(self) -> dict[str, list[float]]:
        """For a file, rounded."""
        self._turn()
        return {name: [round(x, 3) for x in means] for name, means in self._means.items()}

    def load(self, found: object) -> None:
        """What `dump` gave; anything else is ignored."""
        for name, means in found.items() if isinstance(found, dict) else ():
            if isinstance(means, list) and len(means) == HOURS:
                self._means[name] = [max(0.0, float(x)) for x in means]

    def _turn(self) -> None:
        """Close the hours that are over."""
        hour = int(self._clock() // 3600)
        while self._hour < hour:
            place = _of_day(self._hour * 3600.0)
            for name, means in self._means.items():
                means[place] += DAY * (self._counts.get(name, 0) - means[place])
            self._counts.clear()
            # A clock that jumped by weeks has nothing to close but one round of the day.
            self._hour = max(self._hour + 1, hour - HOURS)


def _of_day(moment: float) -> int:
    return time.localtime(moment).tm_hour
