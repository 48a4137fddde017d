"""The live picture, from a real arena and a real database."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pihub.insight.live import Live, UpstreamInfo
from pihub.insight.recorder import Recorder
from pihub.insight.window import Sample, Window
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import Column, Route, Series
from pihub.shared.state import SharedState
from pihub.store.metrics import MetricsStore
from pihub.store.sqlite import StoreFault


@pytest.fixture
def live(state: SharedState, store: MetricsStore, recorder: Recorder) -> Live:
    rows = {"ollama": 0, "claude": 1}
    info = {"ollama": UpstreamInfo("ollama"), "claude": UpstreamInfo("anthropic", True)}
    return Live(state, HealthBoard(state, rows), info, store, recorder)


def look(live: Live) -> dict[str, Any]:
    live.build()
    return json.loads(live.snapshot()[1])  # type: ignore[no-any-return]


def test_a_request_is_explained(state: SharedState, recorder: Recorder, live: Live) -> None:
    names = {name: state.names.intern(name) for name in ("claude", "claude-haiku-4-5", "assistant")}
    state.events.push(
        1,
        Record(
            ts_ns=time.time_ns(), rid=0xABC, dur_us=2_500_000, ttft_us=300_000, status=200,
            route=Route.ANTHROPIC_MESSAGES, model=names["claude-haiku-4-5"], attempts=2,
            upstream=names["claude"], alias=names["assistant"], cache=CacheState.MISS, reason=3,
            cost_nano=1_500_000, saved_nano=0, flags=Flag.STREAM | Flag.SIMULATED, in_tok=12,
        ),
    )  # fmt: skip
    recorder.drain()
    picture = look(live)
    (row,) = picture["requests"]
    assert row["request_id"] == "0000000000000abc"
    assert row["route"] == "anthropic_messages"
    assert row["model"] == "assistant"
    assert row["served_by"] == "claude/claude-haiku-4-5"
    assert row["reason"] == "fallback-timeout"
    assert row["cache"] == "miss"
    assert (row["stream"], row["simulated"], row["client_gone"]) == (True, True, False)
    assert row["duration_ms"] == 2500
    assert row["cost_usd"] == 0.0015
    assert picture["money"]["today"]["cost_usd"] == 0
    assert picture["money"]["simulated_today"]["cost_usd"] == 0.0015
    assert picture["recorder"]["recorded"] == 1


def test_upstreams_and_processes_are_shown(state: SharedState, live: Live) -> None:
    state.arena.claim_slot(1, os.getpid())
    state.counters.add(1, Column.REQUESTS, 9)
    state.counters.add(1, Column.STREAMS_OPEN, -1)
    state.breakers.configure(1, 5, 30_000, 10_000, 10_000)
    now = int(time.monotonic() * 1000)
    for ok in (True, True, True, False):
        state.breakers.record(1, ok, now)
    picture = look(live)
    claude = picture["upstreams"][1]
    assert (claude["name"], claude["kind"], claude["simulated"]) == ("claude", "anthropic", True)
    assert (claude["state"], claude["success_rate"]) == ("closed", 0.75)
    assert picture["upstreams"][0]["success_rate"] is None
    (worker,) = [one for one in picture["processes"] if one["slot"] == 1]
    assert (worker["pid"], worker["requests"], worker["streams"]) == (os.getpid(), 9, 0)
    assert worker["rss_bytes"] > 1_000_000


def test_rates_and_quantiles_are_of_the_last_minute(
    state: SharedState, live: Live, until: Callable[[Callable[[], object]], None]
) -> None:
    state.counters.add(1, Column.REQUESTS, 1000)
    for _ in range(100):
        state.latency.record(1, Series.REQUEST, 5_000_000)
    look(live)
    state.counters.add(1, Column.REQUESTS, 50)
    state.counters.add(1, Column.HITS, 3)
    state.counters.add(1, Column.MISSES, 1)
    for _ in range(50):
        state.latency.record(1, Series.REQUEST, 10_000)
    # Pictures are at least half a second apart, however often they are asked for.
    until(lambda: look(live)["now"]["requests_per_s"])
    picture = look(live)
    now = picture["now"]
    assert 0 < now["requests_per_s"] <= 100
    assert now["hit_rate"] == 0.75
    assert 9.8 < now["p50_ms"] < 10.2
    assert 9.8 < now["p99_ms"] < 10.2
    assert picture["totals"]["requests"] == 1050


def test_a_broken_store_leaves_its_part_empty(
    live: Live, store: MetricsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise StoreFault("no")

    for method in ("recent", "spent", "info"):
        monkeypatch.setattr(store, method, fail)
    picture = look(live)
    assert picture["requests"] == []
    assert picture["money"] == {"today": None, "simulated_today": None}
    assert picture["totals"]["requests"] == 0


def test_viewers_wait_for_the_next_picture(state: SharedState, live: Live) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        first, _ = live.snapshot()
        got = live.wait(first, 10)
        assert got is not None
        assert got[0] > first
        later = live.wait(got[0], 10)
        assert later is not None and later[0] > got[0]
        assert state.arena.slot_info(0)[2] > 0
        assert live.wait(10**9, 0.05) is None
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_many_viewers_cost_one_build(live: Live) -> None:
    live.build()
    first, _ = live.snapshot()
    assert all(live.snapshot()[0] == first for _ in range(100))


def sample(at: float, requests: int, latency: dict[tuple[int, int], int]) -> Sample:
    return Sample(at, {"requests": requests}, latency, {})


def test_a_window_forgets_what_is_older() -> None:
    window = Window(60)
    assert window.latency((0.5,)) == (0.0,)
    for second in range(0, 301, 5):
        window.add(sample(second, second * 10, {(0, 9): second, (10, 19): 100}))
    assert window.rate("requests") == 10
    assert window.delta("requests") == 600
    assert window.per_minute("requests") == 600
    assert window.latency((0.5, 0.99)) == (4.5, 4.5)


def test_totals_that_fall_back_are_no_negative_rates() -> None:
    window = Window(60)
    window.add(sample(0, 500, {(0, 9): 7}))
    window.add(sample(1, 3, {}))
    assert window.rate("requests") == 0
    assert window.delta("requests") == 0
    assert window.latency((0.5,)) == (0.0,)


def test_a_window_is_bounded(until: Callable[[Callable[[], object]], None]) -> None:
    window = Window(60, most=13)
    for step in range(100_000):
        window.add(sample(step / 1000, step, {}))
    assert len(window._samples) <= 13
