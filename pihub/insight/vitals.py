"""What /metrics says of health: scores, paces, forecasts, alerts. Published by the control
process in the arena; where it is down, its last word stands, with its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pihub.insight.exposition import Labels, Metric, family
from pihub.shared.spending import Published
from pihub.shared.vitals import read

VITALS: dict[str, Metric] = {
    "judged": Metric(
        "pihub_health_judged_timestamp_seconds", "gauge", "When health was last judged"
    ),
    "score": Metric(
        "pihub_health_score", "gauge", "Health from 0 to 100, of the box and of each upstream"
    ),
    "part": Metric(
        "pihub_health_part_ratio", "gauge", "Share of its points that a part of a score earns"
    ),
    "latency": Metric(
        "pihub_upstream_pace_seconds", "gauge",
        "Time to an upstream's first content, as it is now and usually",
    ),
    "pace": Metric(
        "pihub_model_pace_tokens_per_second", "gauge",
        "Tokens a second of a model, as it is now and usually, by version of Ollama",
    ),
    "value": Metric("pihub_forecast_value", "gauge", "A watched value, in the unit of its label"),
    "limit": Metric("pihub_forecast_limit", "gauge", "The limit that a watched value may reach"),
    "slope": Metric("pihub_forecast_slope_per_day", "gauge", "Its trend, in that unit a day"),
    "until": Metric(
        "pihub_forecast_seconds_to_limit", "gauge",
        "Until the limit; absent: not as far as can be said",
    ),
    "store": Metric(
        "pihub_store_bytes", "gauge", "Bytes of the metrics database on the disk, and of its WAL"
    ),
    "kept": Metric("pihub_store_requests", "gauge", "Single requests that the database keeps"),
    "alerts": Metric("pihub_alerts_open", "gauge", "Open alerts, by rule and severity"),
}  # fmt: skip
"""By the family's short name (shared/vitals.py)."""


def vitals_lines(board: Published) -> Iterator[str]:
    found: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
    for one in read(board):
        found[one.family].append((dict(one.labels), one.value))
    for name, metric in VITALS.items():
        yield from family(metric, found[name])
