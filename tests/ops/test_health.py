"""Scores, paces, forecasts and signals on a real arena and database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from pihub.domain.budget import Budget
from pihub.domain.score import Part, falling, score
from pihub.domain.trend import Baseline
from pihub.errors import ControlUnavailable
from pihub.http.control.operations.health import OPERATIONS
from pihub.insight.family import Scrape
from pihub.insight.health_metrics import VITALS
from pihub.ops.budgets import BudgetState
from pihub.ops.forecasts import Forecasts
from pihub.ops.health import SAVE, HealthWatch, Report
from pihub.ops.judging import BoxSeen, UpstreamSeen, judge_box, judge_upstream
from pihub.ops.machine import Reading
from pihub.ops.pace import MOST, Key, Pace, Versions
from pihub.ops.signals import SignalMaker
from pihub.settings.alerts import Measure
from pihub.settings.schema import Breaker
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.health import HealthBoard, UpstreamHealth, configure_breaker
from pihub.shared.machine import CONTROL, Gauge
from pihub.shared.metrics import Column
from pihub.shared.state import Plan, SharedState
from pihub.shared.vitals import Sample, publish
from pihub.store.health import HealthRows
from pihub.store.metrics import MetricsStore

GB = 1_000_000_000


class House:
    """A watch on an arena of its own."""

    def __init__(self, folder: Path) -> None:
        self.state = SharedState.create(Plan(1, 1 << 22))
        self.store = MetricsStore(folder / "pihub.db")
        self.rows = HealthRows(self.store.database)
        self.board = HealthBoard(self.state, {"ollama": 0, "claude": 1})
        for row in (0, 1):
            configure_breaker(self.state, row, Breaker(failures=3, window=60, open=60))
        self.version = "0.12.6"
        self.budgets: list[BudgetState] = []
        self.day = "20000"
        self.folder = folder
        self.now = 1_700_000_000.0
        self.start()

    def start(self) -> None:
        versions = Versions({"ollama": lambda: self.version})
        self.watch = HealthWatch(
            self.state, self.board, self.rows, Pace(self.state.names, versions.of), self.folder,
            memory=8 * GB, hot=82, budgets=lambda: self.budgets, behind=lambda: 0,
            versions=versions, periods=lambda: (self.day, "600"),
        )  # fmt: skip

    def turn(self, seconds: float = 5.0) -> Report:
        self.now += seconds
        return self.watch.turn(self.now)

    def record(self, upstream: str = "ollama", **fields: int) -> Record:
        intern = self.state.names.intern
        return Record(
            **{
                "upstream": intern(upstream), "model": intern("llama3.2:3b"), "status": 200,
                "cache": int(CacheState.MISS), "flags": int(Flag.STREAM), "out_tok": 100,
                "ttft_us": 200_000, "dur_us": 5_200_000, **fields,
            }
        )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()
    for fd in made.state.eventfds:
        os.close(fd)


def part(report: Report, of: str, name: str) -> Part:
    scores = {one.name: one for one in (report.box, *report.upstreams)}
    return next(one for one in scores[of].parts if one.name == name)


def test_unknown_parts_neither_give_nor_take() -> None:
    known = Part("a", 30, 0.5, "", "more of a")
    assert score("x", [known, Part("b", 70, None, "")]).value == 50
    assert score("x", [Part("b", 70, None, "")]).value is None
    both = score("x", [known, Part("c", 40, 0.0, "", "more of c"), Part("d", 30, 1.0, "")])
    assert both.value == 45
    assert both.advice == ("more of c", "more of a"), "what costs most stands first"
    assert [falling(v, 0.01, 0.25) for v in (0.0, 0.01, 0.13, 0.25, 1.0)] == pytest.approx(
        [1, 1, 0.5, 0, 0]
    )


def test_an_upstream_that_fails_loses_points_and_says_what_to_do(house: House) -> None:
    health = UpstreamHealth(house.state, 0, 1)
    before = house.turn()
    assert {one.name: one.value for one in before.upstreams} == {"ollama": 100, "claude": 100}
    assert part(before, "ollama", "errors").share is None
    for _ in range(4):
        health.called()
        health.record(ok=False, timeout=True)
    after = house.turn()
    assert part(after, "ollama", "errors").share == 0
    assert "4 of 4 calls, 4 by a timer" in part(after, "ollama", "errors").seen
    assert part(after, "ollama", "breaker").seen == "open"
    (ollama,) = [one for one in after.upstreams if one.name == "ollama"]
    assert ollama.value is not None and ollama.value < 40 and ollama.advice
    house.board.hold("ollama", "open", 600)
    held = house.turn()
    assert held.breakers["ollama"] == "held"
    assert part(held, "ollama", "breaker").share is None, "taken out by hand is no failure"


def test_until_the_first_look_the_api_says_come_again(house: House) -> None:
    [ask] = [one.handler for one in OPERATIONS if one.path == "/health"]
    call: Any = SimpleNamespace(services=SimpleNamespace(health=house))
    with pytest.raises(ControlUnavailable) as refused:
        ask(call)
    assert refused.value.retry_after == 5
    report = house.turn()
    assert ask(call).at == report.at


def test_failures_are_forgotten_after_five_minutes(house: House) -> None:
    health = UpstreamHealth(house.state, 1, 1)
    house.turn()
    health.called()
    health.record(ok=False)
    assert house.turn().failing["claude"] == (1, 1)
    for _ in range(60):
        report = house.turn()
    assert report.failing["claude"] == (0, 0)


def test_every_box_part_at_its_best_and_worst() -> None:
    fine = BoxSeen(
        Reading(temperature=50, flags=0, available=4 * GB, memory_some=0, io_some=0), 8 * GB,
        50 * GB, 100 * GB, None, 82, 0, GB, 0, 0, (),
    )  # fmt: skip
    assert judge_box(fine).value == 100
    bad = BoxSeen(
        Reading(temperature=90, flags=1, available=GB // 10, memory_some=60, io_some=0), 8 * GB,
        GB, 100 * GB, 3600.0, 82, 4 * GB, GB, 9000, 5, ("worker 1",),
    )  # fmt: skip
    assert judge_box(bad).value == 0
    assert len(judge_box(bad).advice) == len(judge_box(bad).parts) == 8
    nothing = BoxSeen(Reading(), 0, 0, 0, None, 82, 0, 0, 0, 0, ())
    assert judge_box(nothing).value == 100, "only records and processes are known"
    soon = fine._replace(disk_full_in=86400.0)
    assert judge_box(soon).value == pytest.approx(100 - 20 / 1.05 * 6 / 7, abs=3)


def test_latency_and_pace_count_against_their_own_usual() -> None:
    slow = Baseline(100.0, 5.0, 50, 400.0)
    model = Baseline(20.0, 1.0, 50, 8.0)
    found = judge_upstream(
        UpstreamSeen("o", "closed", 0.0, 100, 0, 0, slow, [("m", model)])
    )
    shares = {one.name: one.share for one in found.parts}
    assert shares["latency"] == 0 and shares["tokens a second"] == pytest.approx(0)
    assert found.value == 70


def test_a_pace_is_learnt_from_what_the_upstream_did(house: House) -> None:
    house.turn()
    pace = house.watch.pace
    pace.stored([house.record().pack()] * 30)
    pace.stored([house.record(flags=0).pack()])
    for other in (
        {"cache": int(CacheState.HIT)}, {"status": 502}, {"out_tok": 3},
        {"flags": int(Flag.STREAM | Flag.CLIENT_GONE)},
    ):  # fmt: skip
        pace.add(house.record(**{"dur_us": 99_000_000, **other}))
    found = pace.all()
    streamed = found[Key("ollama", "llama3.2:3b", "0.12.6")]
    assert (streamed.count, streamed.now) == (30, pytest.approx(20.0))
    assert found[Key("ollama", "llama3.2:3b", "0.12.6", True)].count == 1
    house.version = "0.13.0"
    house.turn(60)
    pace.add(house.record())
    assert pace.all()[Key("ollama", "llama3.2:3b", "0.13.0")].count == 1, "another version"
    for n in range(MOST + 5):
        pace.add(house.record(upstream=f"u{n}"))
    assert len(pace.all()) == MOST


def test_what_was_learnt_and_seen_survives_a_restart(house: House) -> None:
    house.turn()
    house.watch.pace.stored([house.record().pack()] * 30)
    house.state.machine.put(CONTROL, Gauge.READ_AT, 1)
    house.state.machine.put(CONTROL, Gauge.AVAILABLE, 4 * GB)
    house.turn()
    house.turn(SAVE)
    since = int(house.now) - 3600
    assert house.rows.samples("memory", since, 10) == [(int(house.now), 4 * GB)]
    assert house.rows.samples("score box", since, 10)[0][1] > 50
    assert "pace ollama/llama3.2:3b streamed 0.12.6" in house.rows.series()
    house.start()
    house.watch.restore(house.now)
    again = house.watch.pace.all()[Key("ollama", "llama3.2:3b", "0.12.6")]
    assert (again.count, again.usual) == (30, pytest.approx(20.0))


def test_old_samples_go_and_a_full_disk_loses_one_row(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.rows.commit(1_600_000_000, {"old": 1.0}, [])
    house.turn()
    house.turn(SAVE)
    assert house.rows.samples("old", 0, 10) == []
    house.store.close()
    house.turn(SAVE)
    house.turn()


def test_a_budget_s_forecast_begins_anew_with_its_day(house: House) -> None:
    forecasts = Forecasts()
    for n in range(60):
        forecasts.add("b", "usd", n * 60.0, n * 0.01, 1.0, period="monday")
    (found,) = forecasts.ask(3600.0)
    assert found.seconds == pytest.approx((1 - 0.59) / 0.01 * 60, rel=0.05)
    forecasts.add("b", "usd", 3600.0, 0.0, 1.0, period="tuesday")
    (found,) = forecasts.ask(3700.0)
    assert (found.seconds, found.per_day) == (None, None)
    forecasts.add("b", "usd", 3700.0, 1.2, 1.0, period="tuesday")
    assert forecasts.ask(3701.0)[0].seconds == 0
    forecasts.keep(set())
    assert forecasts.ask(9999.0) == []


def test_every_measure_of_the_rules_has_a_signal(house: House) -> None:
    house.state.machine.put(CONTROL, Gauge.READ_AT, 1)
    house.state.machine.put(CONTROL, Gauge.TEMPERATURE, 85_000)
    house.state.machine.put(CONTROL, Gauge.AVAILABLE, 4 * GB)
    asks = Budget(scope="key", name="3", day_nano=GB, at_limit="ask")
    hard = Budget(scope="hub", name="", month_nano=4 * GB, at_limit="refuse")
    house.budgets = [
        BudgetState(1, asks, GB, GB, 0, 0, 0), BudgetState(0, hard, 0, 5 * GB, 0, 0, 2 * GB),
    ]  # fmt: skip
    house.turn()
    house.watch.pace.stored([house.record().pack()] * 30)

    def lost() -> int:
        return house.state.counters.total(Column.EVENTS_LOST)

    maker = SignalMaker(house.store, lambda: 3, lost)
    signals = maker.of(house.turn())

    assert set(signals) == set(get_args(Measure))
    assert signals["budget_ask"]["key:3 day"].value == 100
    assert "approvals" in signals["budget_ask"]["key:3 day"].text
    assert signals["budget_hard"]["hub month"].value == pytest.approx(100 * 5 / 6)
    assert "key:3 day" not in signals["budget_hard"], "it asks, so it is told as asking"
    assert signals["budget_soft"]["key:3 day"].value == 125
    assert signals["temperature"]["box"].value == 85
    assert signals["dead_letters"]["webhooks"].value == 3
    assert signals["pace"]["ollama/llama3.2:3b"].value == pytest.approx(100)
    house.state.counters.add(0, Column.EVENTS_LOST, 7)
    assert maker.of(house.turn())["records_lost"]["recorder"].value == 7
    assert maker.of(house.turn(601))["records_lost"]["recorder"].value == 0


def test_a_prompt_cache_that_only_costs_is_seen(house: House) -> None:
    now = time.time()
    names = house.state.names
    one = house.record(
        "claude", cache_write_tok=20_000, cache_read_tok=4_000, cost_nano=-1
    )
    one.ts_ns = int(now * 1e9)
    house.store.commit(1, {0: 1}, 0, [one.pack()], names)
    maker = SignalMaker(house.store, lambda: 0, lambda: 0)
    report = house.turn()._replace(at=now)
    signals = maker.of(report)
    lost, saved = 20_000 * 0.25, 4_000 * 0.9
    assert signals["cache_writes"]["llama3.2:3b"].value == pytest.approx(lost / saved)
    assert signals["unknown_price"]["prices"].value == 1
    house.store.close()
    signals = maker.of(report._replace(at=now + 120))
    assert "unknown_price" not in signals, "what cannot be read is no signal, good or bad"


def told(house: House) -> list[str]:
    scrape = Scrape(house.state, house.board)
    return [line for one in VITALS.values() for line in one.lines(scrape)]


def test_metrics_tell_what_was_published(house: House) -> None:
    assert told(house) == []
    publish(house.state.vitals, [Sample("score", (("of", "box"),), 97.0)])
    assert 'pihub_health_score{of="box"} 97' in told(house)
    many = [Sample("part", (("of", "x" * 40), ("part", str(n))), 1.0) for n in range(2000)]
    publish(house.state.vitals, many)
    assert len(told(house)) == 512 + 2
