"""Bars on a logarithmic scale, as an SVG file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from pathlib import Path

from benchmarks.core.question import Answer

LEFT, WIDTH, LINE = 190, 520, 18
OURS, OTHERS = "#b5123e", "#5b6b7c"


def write(path: Path, machine: str, answers: Iterable[Answer]) -> None:
    """One group of bars a row; ours in another colour."""
    parts: list[str] = []
    y = 30
    for answer in answers:
        for title, row in answer.rows.items():
            parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
            y += LINE
            lowest = min(row.values())
            decades = max(1.0, math.log10(max(row.values()) / lowest) + 0.3)
            for name, value in sorted(row.items(), key=lambda item: item[1]):
                size = WIDTH * (math.log10(value / lowest) + 0.3) / (decades + 0.3)
                fill = OURS if name.startswith("pihub") else OTHERS
                parts.append(
                    f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{escape(name)}</text>'
                    f'<rect x="{LEFT}" y="{y - 11}" width="{size:.0f}" height="13" fill="{fill}"/>'
                    f'<text x="{LEFT + size + 6:.0f}" y="{y}">{value:,.4g} {answer.unit}</text>'
                )
                y += LINE
            y += LINE // 2
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 130}" height="{y}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="14">{escape(machine)}; logarithmic, each group for itself</text>'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + "".join(parts) + "</svg>\n")
