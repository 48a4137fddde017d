"""RouteLLM's metrics (Ong et al., arXiv 2406.18665, section 3 and its code).

PGR at a share c of strong calls = (quality - weak) / (strong - weak). APGR is the area
under PGR over c, by the trapezium (the mean printed in the paper would give a random
router 0.55, its own code and tables 0.50). CPT(x) is the least share that reaches PGR x.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Scores:
    """`low` and `high`: 95 % bootstrap interval of `apgr`, 0 if not asked for."""

    apgr: float
    cpt50: float
    cpt80: float
    low: float = 0.0
    high: float = 0.0


def scores(
    ranking: Sequence[float],
    gains: Sequence[float],
    weights: Sequence[float] | None = None,
    draws: int = 0,
) -> Scores:
    """Of a router that sends the prompts of the highest `ranking` to the strong model."""
    order = sorted(range(len(gains)), key=lambda i: -ranking[i])
    weight = [1.0] * len(gains) if weights is None else list(weights)
    area, cpt50, cpt80 = _sweep(order, gains, weight)
    if not draws:
        return Scores(area, cpt50, cpt80)
    rng = random.Random(7)
    areas = []
    for _ in range(draws):
        drawn = [0.0] * len(gains)
        for i in rng.choices(range(len(gains)), k=len(gains)):
            drawn[i] += weight[i]
        areas.append(_sweep(order, gains, drawn)[0])
    areas.sort()
    return Scores(area, cpt50, cpt80, areas[int(0.025 * draws)], areas[int(0.975 * draws)])


def mean(found: Sequence[Scores]) -> Scores:
    """Of the same sweep by several seeds."""
    n = len(found)
    return Scores(
        sum(s.apgr for s in found) / n,
        sum(s.cpt50 for s in found) / n,
        sum(s.cpt80 for s in found) / n,
    )


def _sweep(
    order: Sequence[int], gains: Sequence[float], weight: Sequence[float]
) -> tuple[float, float, float]:
    widths = [weight[i] for i in order]
    heights = list(accumulate(weight[i] * gains[i] for i in order))
    total, all_calls = heights[-1] if heights else 0.0, sum(widths)
    if not total or not all_calls:
        return 0.0, 1.0, 1.0
    area = calls = before = 0.0
    first = {0.5: 1.0, 0.8: 1.0}
    for width, height in zip(widths, heights, strict=True):
        pgr = height / total
        area += width * (before + pgr) / 2
        calls += width
        for level, share in first.items():
            if pgr >= level and share == 1.0:
                first[level] = calls / all_calls
        before = pgr
    return area / all_calls, first[0.5], first[0.8]
