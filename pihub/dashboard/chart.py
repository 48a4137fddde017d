"""The charts as a browser without scripts sees them: SVG paths and a table.

static/page.js draws the same from the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.history import STEP, STEPS

WIDTH, HEIGHT = 720, 120
"""The viewBox; the page stretches it."""
MINUTE = 60 // STEP
Values = Sequence[float | None]


def charts(series: dict[str, Any]) -> dict[str, str]:
    """Paths and ends of the scales, by the names that the template uses."""
    rate, p50, p95 = series["rate"], series["p50"], series["p95"]
    top = scale(rate)
    low, high = decades([*p50, *p95])
    heights = [height(value, top) for value in rate]
    return {
        "rate_top": f"{words.rate(top)}/s",
        "rate_line": line(heights),
        "rate_area": area(heights),
        "latency_top": words.milliseconds(10.0**high),
        "latency_low": words.milliseconds(10.0**low),
        "p50_line": line([level(value, low, high) for value in p50]),
        "p95_line": line([level(value, low, high) for value in p95]),
    }


def scale(values: Values) -> float:
    """The next of 1, 2, 5, 10, 20, ... above all values."""
    most = max((value for value in values if value is not None), default=0.0)
    top = 1.0
    while top < most:
        for factor in (2, 2.5, 2):
            if top >= most:
                break
            top *= factor
    return top


def decades(values: Values) -> tuple[int, int]:
    """Powers of ten around all values, at least three apart.

    Latencies are drawn by their logarithm: an answer of the cache takes a ten-thousandth
    of a model's, and both are to be seen.
    """
    known = [value for value in values if value]
    if not known:
        return 0, 3
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    return min(low, high - 3), high


def height(value: float | None, top: float) -> float | None:
    """0 (bottom) to 1, in proportion."""
    return None if value is None else value / top


def level(value: float | None, low: int, high: int) -> float | None:
    """0 (bottom) to 1, by the logarithm."""
    return (math.log10(value) - low) / (high - low) if value else None


def line(heights: Values) -> str:
    """`M0,120L4,98...`; a gap where nothing is known."""
    out = []
    pen = "M"
    for index, value in enumerate(heights):
        if value is None:
            pen = "M"
            continue
        out.append(f"{pen}{_tenth(index * WIDTH / (STEPS - 1))},{_tenth(HEIGHT - value * HEIGHT)}")
        pen = "L"
    return "".join(out)


def area(heights: Values) -> str:
    """The line closed along the bottom; for series without gaps."""
    return f"{line(heights)}L{WIDTH},{HEIGHT}L0,{HEIGHT}Z"


def table(series: dict[str, Any]) -> list[dict[str, str]]:
    """The chart by minutes, the newest first."""
    out = []
    for ago in range(STEPS // MINUTE):
        end = STEPS - ago * MINUTE
        part = slice(end - MINUTE, end)
        out.append(
            {
                "when": f"{ago} min ago" if ago else "this minute",
                "rate": words.rate(_mean(series["rate"][part]) or 0.0),
                "p50": words.milliseconds(_mean(series["p50"][part])),
                "p95": words.milliseconds(_mean(series["p95"][part])),
            }
        )
    return out


def _mean(values: Values) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _tenth(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
