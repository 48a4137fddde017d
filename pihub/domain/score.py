"""A score of health from 0 to 100, with the parts that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """One thing that is judged."""

    name: str
    weight: int
    share: float | None
    """Of its weight that it earns, 0 to 1; None: nothing is known, it does not count."""
    seen: str
    """What was measured, for people."""
    raise_by: str = ""
    """What would raise it; empty: nothing to do."""

    @property
    def points(self) -> float:
        return self.weight * (1.0 if self.share is None else self.share)


class Score(NamedTuple):
    """Of an upstream, or of the box."""

    name: str
    value: int | None
    """None: nothing is known of any part."""
    parts: tuple[Part, ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """What would raise it, the most first."""
        lost = [(one.weight - one.points, one) for one in self.parts if one.raise_by]
        return tuple(one.raise_by for points, one in sorted(lost, key=lambda i: -i[0]) if points)


def score(name: str, parts: Iterable[Part]) -> Score:
    """Known parts by their weights; unknown ones neither give nor take."""
    found = tuple(parts)
    known: Sequence[Part] = [one for one in found if one.share is not None]
    whole = sum(one.weight for one in known)
    if not whole:
        return Score(name, None, found)
    earned = sum(one.points for one in known)
    return Score(name, round(100 * earned / whole), found)


def falling(value: float, best: float, worst: float) -> float:
    """1 at `best` or better, 0 at `worst` or worse, straight in between."""
    part = (value - worst) / (best - worst)
    return max(0.0, min(1.0, part))
