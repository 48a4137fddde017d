"""The report: JSON for programs, Markdown and a plot for people, and what has moved."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pihub import __version__
from pihub.ops.machine import BEFORE, SLOWED, Reading, device_kind, machine, read

NOISE = 3.0
"""A figure has moved if it lies beyond so many spreads of both runs, and by a tenth."""
BETTER = {"req/s": 1, "x": 1}
"""Units of which more is better; of all others less is."""

NAMES = (
    ("hit", "a chat of temperature 0 that the cache answers"),
    ("pass-through", "a chat that goes to the upstream, an nginx with a fixed answer"),
    ("stream", "a streamed chat from the simulated upstream, which takes 20 ms to its first token"),
    ("mixed", "a third each of hits, chats passed through and streams"),
    ("under faults", "every tenth call of the first upstream fails; a second one stands behind it"),
    ("most", "what wrk with --connections gets from one worker on one core, closed loop"),
    ("CPU a request", "of all the server's processes together, in that closed loop"),
    ("x", "the hub's rate by the other's, in the same round"),
    ("core", "one step of the shared memory, called from Python"),
)
"""What the figures' names say, for a reader who was not there."""


def describe() -> dict[str, Any]:
    """The machine, so that a stranger knows what the figures are of."""
    board, now = machine(), read()
    return {
        "model": board.model,
        "cores": board.cores,
        "memory_mb": board.memory >> 20,
        "system": board.system,
        "kernel": board.kernel,
        "page_size": board.page_size,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pihub": __version__,
        "storage": device_kind(Path.cwd()),
        "temperature_c": now.temperature,
        "throttled": now.throttled,
        "load_before": round(os.getloadavg()[0], 2),
    }


def fared(where: Mapping[str, Any], now: Reading) -> list[str]:
    """Notes about how the machine of `describe` fared until `now`: when figures are worth less."""
    load, cores = where["load_before"], where["cores"]
    notes = []
    if load > cores / 2:
        notes.append(
            f"the machine was busy with other things when it began (load {load:g} on {cores} "
            "cores): judge the ratios of one run, not the figures"
        )
    if now.temperature is not None and where["temperature_c"] is not None:
        notes.append(f"temperature: {where['temperature_c']:.0f} °C before, "
                     f"{now.temperature:.0f} °C after")  # fmt: skip
    if now.flags is not None:
        slowed = now.throttled or bool(now.flags >> BEFORE & SLOWED)
        notes.append("the firmware slowed the processor down since its start: cool it"
                     if slowed else "the firmware never slowed the processor down")  # fmt: skip
    return notes


def figure(values: Sequence[float], unit: str) -> dict[str, Any]:
    """Median of the rounds and their spread (median absolute deviation)."""
    middle = statistics.median(values)
    spread = statistics.median([abs(v - middle) for v in values])
    return {"value": round(middle, 3), "spread": round(spread, 3), "unit": unit,
            "rounds": [round(v, 3) for v in values]}  # fmt: skip


def moved(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Sentences about figures that differ beyond noise from those of another run."""
    found = []
    for name, new in now["figures"].items():
        old = before["figures"].get(name)
        if old is None or old["unit"] != new["unit"] or not old["value"]:
            continue
        gap = new["value"] - old["value"]
        if abs(gap) <= max(NOISE * max(old["spread"], new["spread"]), 0.1 * abs(old["value"])):
            continue
        better = (gap > 0) == (BETTER.get(new["unit"], -1) > 0)
        found.append(
            f"{name}: {old['value']:g} -> {new['value']:g} {new['unit']} "
            f"({100 * gap / old['value']:+.0f} %), {'better' if better else 'WORSE'}"
        )
    return found


def markdown(document: Mapping[str, Any], changes: Sequence[str] | None) -> str:
    """The whole report as a page."""
    where = document["machine"]
    lines = [
        f"# Benchmark of pihub {where['pihub']}",
        "",
        f"{where['model']}, {where['cores']} cores, {where['memory_mb']} MB, {where['system']}, "
        f"kernel {where['kernel']} with pages of {where['page_size'] >> 10} KiB, "
        f"Python {where['python']}, {where['storage'] or 'storage of unknown kind'}, "
        f"load before {where['load_before']}.",
        "",
        "Open loop: a latency counts from the time at which its request was due. Medians of "
        f"{document['rounds']} rounds, ± the median deviation of the rounds.",
        "",
        "| figure | value | ± | unit |",
        "|---|--:|--:|---|",
    ]
    lines += [
        f"| {name} | {one['value']:g} | {one['spread']:g} | {one['unit']} |"
        for name, one in document["figures"].items()
    ]
    lines += ["", *(f"- {note}" for note in document["notes"]), ""]
    lines += ["## What the names mean", "", *(f"- {name}: {what}" for name, what in NAMES), ""]
    if changes is not None:
        lines += ["## Against the baseline", ""]
        lines += [f"- {one}" for one in changes] or ["- nothing moved beyond noise"]
        lines.append("")
    return "\n".join(lines) + "\n![latencies](latency.svg)\n"


def plot(rows: Mapping[str, Sequence[float]]) -> str:
    """Latency by percentile as SVG: one line a job, logarithmic in both ways."""
    from math import log10

    width, height, left, top = 860, 420, 60, 20
    marks = (50, 75, 90, 95, 99, 99.9)
    most = max((max(v) for v in rows.values() if v), default=1.0)
    high = max(1.0, log10(most) + 0.1)
    low = -1.0

    def x(mark: float) -> float:
        return left + (width - 280) * (-log10(1 - mark / 100) - 0.3) / 2.8

    def y(ms: float) -> float:
        return top + (height - 70) * (1 - (log10(max(ms, 0.1)) - low) / (high - low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for power in range(-1, int(high) + 1):
        at = y(10**power)
        parts.append(f'<path d="M{left} {at:.1f}H{width - 220}" stroke="#ddd"/>')
        parts.append(f'<text x="4" y="{at + 4:.1f}">{10**power:g} ms</text>')
    for mark in marks:
        parts.append(f'<text x="{x(mark) - 12:.1f}" y="{height - 20}">p{mark:g}</text>')
    colours = ("#0b6", "#06c", "#c40", "#808", "#a80", "#088", "#555", "#d08")
    for number, (name, values) in enumerate(rows.items()):
        if not values:
            continue
        ordered = sorted(values)
        points = [
            f"{x(m):.1f},{y(ordered[min(len(ordered) - 1, int(len(ordered) * m / 100))]):.1f}"
            for m in marks
        ]
        colour = colours[number % len(colours)]
        parts.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" '
            'stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{width - 210}" y="{top + 16 + 18 * number}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(
    folder: Path, document: dict[str, Any], rows: Mapping[str, Sequence[float]], baseline: str
) -> Path:
    """result.json, README.md and latency.svg in `folder`; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = moved(document, json.loads(Path(baseline).read_text())) if baseline else None
    (folder / "result.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "latency.svg").write_text(plot(rows))
    page = folder / "README.md"
    page.write_text(markdown(document, changes))
    return page
