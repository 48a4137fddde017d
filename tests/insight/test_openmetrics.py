"""OpenMetrics by the official parser; dashboards and alerts name only what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pihub.insight.metrics import METRICS, exposition
from pihub.insight.openmetrics import wanted
from pihub.shared.events import Record
from pihub.shared.health import HealthBoard, upstream_rows
from pihub.shared.metrics import Column, Route, Series, route_column
from pihub.shared.state import SharedState

DEPLOY = Path(__file__).parents[2] / "deploy" / "monitoring"
ASKED = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def told(state: SharedState, accept: str) -> str:
    board = HealthBoard(state, upstream_rows(["ollama"]))
    return exposition(state, board, accept)[1].decode()


def busy(state: SharedState) -> None:
    state.routes.add(1, route_column(Route.OPENAI_CHAT, 200), 3)
    state.counters.add(1, Column.COST_NANO, 1_500_000_000)
    for us in (900, 40_000, 3_000_000):
        state.latency.record(1, Series.REQUEST, us)
        state.latency.record(1, Series.TTFT, us)
    for number, us in enumerate((700, 41_000, 42_000, 500_000_000)):
        state.events.push(1, Record(rid=0xAB00 + number, dur_us=us, ts_ns=10**18 + number * 10**9))


def test_both_formats_say_the_same(state: SharedState) -> None:
    busy(state)
    plain = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(told(state, "text/plain"))
        for sample in family.samples
    }
    text = told(state, ASKED)
    assert text.endswith("\n# EOF\n")
    open_ = {}
    for family in parse_openmetrics(text):
        assert family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            if "le" in labels and labels["le"] != "+Inf":
                labels["le"] = repr(float(labels["le"])).removesuffix(".0")
            open_[sample.name, tuple(sorted(labels.items()))] = sample.value
    normal = {}
    for (name, labels), value in plain.items():
        fixed = tuple(
            (k, repr(float(v)).removesuffix(".0") if k == "le" and v != "+Inf" else v)
            for k, v in labels
        )
        normal[name, fixed] = value
    assert open_ == normal


def test_exemplars_stand_in_their_bucket(state: SharedState) -> None:
    busy(state)
    found = {}
    for family in parse_openmetrics(told(state, ASKED)):
        for sample in family.samples:
            if sample.exemplar is not None:
                assert sample.exemplar.value <= float(sample.labels["le"])
                found[sample.labels["le"]] = sample.exemplar.labels["request_id"]
    assert found["0.001"] == f"{0xAB00:016x}"
    assert found["0.05"] == f"{0xAB02:016x}", "the newest of a bucket"
    assert found["+Inf"] == f"{0xAB03:016x}"


@pytest.mark.parametrize(
    ("accept", "open_"),
    [
        ("", False), ("*/*", False), ("text/plain", False), (ASKED, True),
        ("application/openmetrics-text", True), ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.9", False),
    ],
)  # fmt: skip
def test_the_format_is_the_client_s_choice(accept: str, open_: bool) -> None:
    assert wanted(accept) is open_


def known() -> set[str]:
    names = set()
    for metric in METRICS:
        names.add(metric.name)
        if metric.kind == "histogram":
            names |= {f"{metric.name}_{end}" for end in ("bucket", "sum", "count")}
    return names


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml"])
def test_every_metric_that_is_named_exists(file: str) -> None:
    text = (DEPLOY / file).read_text()
    named = set(re.findall(r"\bpihub_[a-z_]+", text))
    assert len(named) > 8
    assert named <= known()


def test_the_dashboard_is_one(state: SharedState) -> None:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    assert board["title"] == "pihub"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) >= 12
    for panel in board["panels"]:
        assert panel["targets"] and panel["datasource"]["uid"] == "${source}"
