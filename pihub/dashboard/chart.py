"""The charts as a browser without scripts sees them: SVG paths and a table.

static/page.js draws the same from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.history import STEP, STEPS

WIDTH, HEIGHT = 720, 120
"""The viewBox; the page stretches it."""
MINUTE = 60 // STEP
Values = Sequence[float | None]


def charts(series: dict[str, Any]) -> dict[str, str]:
    """Paths and tops of the scales, by the names that the template uses."""
    rate, p50, p95 = series["rate"], series["p50"], series["p95"]
    traffic = scale(rate)
    latency = scale([*p50, *p95])
    return {
        "rate_top": f"{words.rate(traffic)}/s",
        "rate_line": line(rate, traffic),
        "rate_area": area(rate, traffic),
        "latency_top": words.milliseconds(latency),
        "p50_line": line(p50, latency),
        "p95_line": line(p95, latency),
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


def line(values: Values, top: float) -> str:
    """`M0,120L4,98...`; a gap where nothing is known."""
    out = []
    pen = "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        out.append(f"{pen}{_x(index)},{_y(value, top)}")
        pen = "L"
    return "".join(out)


def area(values: Values, top: float) -> str:
    """The line closed along the bottom; for series without gaps."""
    if not values:
        return ""
    return f"{line(values, top)}L{WIDTH},{HEIGHT}L0,{HEIGHT}Z"


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


def _x(index: int) -> str:
    return f"{index * WIDTH / (STEPS - 1):.1f}".removesuffix(".0")


def _y(value: float, top: float) -> str:
    return f"{HEIGHT - value / top * HEIGHT:.1f}".removesuffix(".0")
