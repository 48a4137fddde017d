"""/metrics: valid by the official parser, complete by the documentation."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pihub.domain.target import Target
from pihub.domain.whynot import WhyNot
from pihub.insight.health_metrics import VITALS
from pihub.insight.metrics import METRICS, render
from pihub.settings.schema import Breaker
from pihub.shared.events import CacheState
from pihub.shared.health import HealthBoard, configure_breaker, upstream_rows
from pihub.shared.machine import ARBITER, CONTROL, Gauge
from pihub.shared.metrics import (
    Column,
    Route,
    Series,
    UpstreamColumn,
    cache_column,
    route_column,
    upstream_column,
    why_column,
)
from pihub.shared.routing import Cell, LocalModel, LocalState, Speeds
from pihub.shared.state import SharedState
from pihub.shared.vitals import Sample, publish

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def scrape(
    state: SharedState, *upstreams: str
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(sample name, sorted labels) -> value; fails on anything the parser refuses."""
    text = render(state, HealthBoard(state, upstream_rows(upstreams))).decode()
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.samples
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def test_every_family_appears_and_is_documented(state: SharedState) -> None:
    state.routes.add(1, route_column(Route.OPENAI_CHAT, 200), 1)
    state.routes.add(1, cache_column(Route.OPENAI_CHAT, CacheState.HIT), 1)
    state.routes.add(1, why_column(Route.OPENAI_CHAT, WhyNot.TOO_LARGE), 1)
    target = Target("ollama", "ollama", "llama")
    for cell in Cell:
        Speeds(state).learn(target, cell, 2.0)
    LocalState(state).publish({target.name: LocalModel(loaded=True)}, {})
    for row in (CONTROL, ARBITER):
        for one in Gauge:
            state.machine.put(row, one, 1)
    publish(state.vitals, [Sample(name, (), 1.0) for name in VITALS])
    text = render(state, HealthBoard(state, upstream_rows(["ollama"])), (target,)).decode()
    assert 'pihub_cache_unkept_total{reason="too-large",route="openai_chat"} 1' in text or (
        'pihub_cache_unkept_total{route="openai_chat",reason="too-large"} 1' in text
    )
    assert 'pihub_model_load_seconds{target="ollama/llama"} 2' in text
    shown = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert shown == {metric.name: metric.kind for metric in METRICS}
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \|", DOCS.read_text(), re.MULTILINE)
    assert dict(documented) == shown
    assert len(documented) == len(shown)


def test_names_and_units_follow_the_convention() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"pihub_[a-z_]+[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds")
        assert not metric.help.endswith(".")
        assert not re.search(r"_(ms|us|milliseconds|nano\w*)(_|$)", metric.name)


def test_counts_of_all_workers_are_added(state: SharedState) -> None:
    for slot in (1, 2):
        state.counters.add(slot, Column.HITS, 5)
        state.counters.add(slot, Column.COST_NANO, 250_000_000)
        state.counters.add(slot, Column.STREAMS_OPEN, 2)
        state.routes.add(slot, route_column(Route.OPENAI_CHAT, 200), 3)
        state.routes.add(slot, route_column(Route.OPENAI_CHAT, 499), 1)
        state.routes.add(slot, route_column(Route.OLLAMA_CHAT, 502), 2)
    found = scrape(state)
    assert found["pihub_cache_results_total", (("result", "hit"),)] == 10
    assert found["pihub_cost_usd_total", ()] == 0.5
    assert found["pihub_streams_open", ()] == 4
    for route, status, count in (
        ("openai_chat", "2xx", 6), ("openai_chat", "499", 2), ("ollama_chat", "5xx", 4),
    ):  # fmt: skip
        assert found["pihub_requests_total", (("route", route), ("status", status))] == count


def test_histograms_are_cumulative_and_in_seconds(state: SharedState) -> None:
    for slot, microseconds in ((1, 800), (1, 30_000), (2, 30_000), (2, 10**9)):
        state.latency.record(slot, Series.REQUEST, microseconds)
    found = scrape(state)
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in found.items()
        if name == "pihub_request_duration_seconds_bucket"
    ]
    assert buckets == sorted(buckets)
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert dict(buckets)[0.001] == 1
    assert dict(buckets)[0.05] == 3
    assert dict(buckets)[120.0] == 3
    assert dict(buckets)[float("inf")] == 4
    assert found["pihub_request_duration_seconds_count", ()] == 4
    assert found["pihub_request_duration_seconds_sum", ()] == pytest.approx(1000.0608)


def test_upstreams_and_their_breakers(state: SharedState) -> None:
    configure_breaker(state, 1, Breaker(failures=2))
    now = int(time.monotonic() * 1000)
    for _ in range(4):
        state.breakers.record(1, False, now)
    state.upstreams.add(1, upstream_column(1, UpstreamColumn.CALLS), 4)
    state.upstreams.add(2, upstream_column(1, UpstreamColumn.FAILED), 4)
    found = scrape(state, "ollama", "claude")
    assert found["pihub_upstream_calls_total", (("upstream", "claude"),)] == 4
    assert found["pihub_upstream_failures_total", (("upstream", "claude"),)] == 4
    states = {
        dict(labels)["state"]: value
        for (name, labels), value in found.items()
        if name == "pihub_upstream_breaker_state" and dict(labels)["upstream"] == "claude"
    }
    assert states == {"closed": 0, "open": 1, "half-open": 0}


def test_names_are_escaped(state: SharedState) -> None:
    odd = 'a"b\\c\nd'
    found = scrape(state, odd)
    assert found["pihub_upstream_calls_total", (("upstream", odd),)] == 0


def test_processes_by_heartbeat(state: SharedState) -> None:
    now = int(time.monotonic() * 1000)
    state.arena.claim_slot(1, os.getpid())
    state.arena.beat(1, now)
    state.arena.claim_slot(2, os.getpid())
    state.arena.beat(2, now - 60_000)
    found = scrape(state)
    up = {
        (dict(labels)["role"], dict(labels)["slot"]): value
        for (name, labels), value in found.items()
        if name == "pihub_process_up"
    }
    assert up == {("control", "0"): 0, ("worker", "1"): 1, ("worker", "2"): 0}


def test_a_gauge_below_zero_reads_as_zero(state: SharedState) -> None:
    state.counters.add(1, Column.IN_FLIGHT, -1)
    assert scrape(state)["pihub_requests_in_flight", ()] == 0
