"""Prometheus text exposition format 0.0.4: lines, escapes, histograms.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """A metric family: its name carries its unit, its help ends without a period."""

    name: str
    kind: Kind
    help: str


@dataclass(frozen=True, slots=True)
class Histo:
    """One series of a histogram, in seconds."""

    labels: Labels
    bounds: Sequence[float]
    cumulative: Sequence[int]
    """Counts of values <= each bound."""
    count: int
    sum: float


def family(metric: Metric, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    """The lines of a counter or gauge; nothing for a family without samples."""
    lines = [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return [*_head(metric), *lines] if lines else []


def histogram(metric: Metric, series: Iterable[Histo]) -> list[str]:
    """The lines of a histogram: buckets up to +Inf, sum, count."""
    lines: list[str] = []
    for one in series:
        top = one.count
        for bound, count in zip(one.bounds, one.cumulative, strict=True):
            # A record between two reads must not make a bucket larger than the next.
            labels = {**one.labels, "le": _number(bound)}
            lines.append(f"{metric.name}_bucket{_labels(labels)} {min(count, top)}")
        lines.append(f"{metric.name}_bucket{_labels({**one.labels, 'le': '+Inf'})} {top}")
        lines.append(f"{metric.name}_sum{_labels(one.labels)} {_number(one.sum)}")
        lines.append(f"{metric.name}_count{_labels(one.labels)} {top}")
    return [*_head(metric), *lines] if lines else []


def _head(metric: Metric) -> tuple[str, str]:
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.name} {text}", f"# TYPE {metric.name} {metric.kind}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value)).removesuffix(".0")
