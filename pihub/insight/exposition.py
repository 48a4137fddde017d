"""Prometheus text exposition format 0.0.4: lines, escapes, histograms.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Histo:
    """One series of a histogram, in seconds."""

    labels: Labels
    bounds: Sequence[float]
    cumulative: Sequence[int]
    """Counts of values <= each bound."""
    count: int
    sum: float


def head(name: str, kind: Kind, text: str) -> tuple[str, str]:
    """The two lines before a family's samples."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {escaped}", f"# TYPE {name} {kind}"


def samples(name: str, values: Iterable[tuple[Labels, float]]) -> list[str]:
    """The lines of a counter or gauge."""
    return [f"{name}{_labels(labels)} {_number(value)}" for labels, value in values]


def histogram(name: str, series: Iterable[Histo]) -> list[str]:
    """The lines of a histogram: buckets up to +Inf, sum, count."""
    lines: list[str] = []
    for one in series:
        top = one.count
        for bound, count in zip(one.bounds, one.cumulative, strict=True):
            # A record between two reads must not make a bucket larger than the next.
            labels = {**one.labels, "le": _number(bound)}
            lines.append(f"{name}_bucket{_labels(labels)} {min(count, top)}")
        lines.append(f"{name}_bucket{_labels({**one.labels, 'le': '+Inf'})} {top}")
        lines.append(f"{name}_sum{_labels(one.labels)} {_number(one.sum)}")
        lines.append(f"{name}_count{_labels(one.labels)} {top}")
    return lines


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value)).removesuffix(".0")
