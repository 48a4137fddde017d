"""What /metrics says of health: scores, paces, forecasts, alerts. Published by the control
process in the arena; where it is down, its last word stands, with its time."""

from __future__ import annotations

from pihub.insight.family import Metric

_TABLE = (
    ("judged", "pihub_health_judged_timestamp_seconds", "When health was last judged"),
    ("score", "pihub_health_score", "Health from 0 to 100, of the box and of each upstream"),
    ("part", "pihub_health_part_ratio", "Share of its points that a part of a score earns"),
    ("latency", "pihub_upstream_pace_seconds",
     "Time to an upstream's first content, as it is now and usually"),
    ("pace", "pihub_model_pace_tokens_per_second",
     "Tokens a second of a model, as it is now and usually, by version of Ollama"),
    ("value", "pihub_forecast_value", "A watched value, in the unit of its label"),
    ("limit", "pihub_forecast_limit", "The limit that a watched value may reach"),
    ("slope", "pihub_forecast_slope_per_day", "Its trend, in that unit a day"),
    ("until", "pihub_forecast_seconds_to_limit",
     "Until the limit; absent: not as far as can be said"),
    ("store", "pihub_store_bytes", "Bytes of the metrics database on the disk, and of its WAL"),
    ("kept", "pihub_store_requests", "Single requests that the database keeps"),
    ("alerts", "pihub_alerts_open", "Open alerts, by rule and severity"),
)  # fmt: skip


def _published(short: str, name: str, text: str) -> Metric:
    return Metric(name, "gauge", text, lambda scrape: scrape.published.get(short, ()))


VITALS = {short: _published(short, name, text) for short, name, text in _TABLE}
"""By the family's short name (shared/vitals.py)."""
