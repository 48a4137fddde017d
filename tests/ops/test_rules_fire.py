"""Each built-in rule opens its alert when the hub is in that trouble, and none when it is well.

The trouble is made in the arena, the database and the budgets; watch, signals, rules and alerts
are the hub's own. Half an hour passes by the watch's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pihub.domain.budget import Budget
from pihub.ops import health as watching
from pihub.ops.alerts import AlertService, Word
from pihub.ops.budgets import BudgetState
from pihub.ops.signals import SignalMaker
from pihub.ops.subjects import Subjects
from pihub.ops.vitals import nobody
from pihub.settings.alerts import BUILT_IN, Alerts, merged
from pihub.shared.health import UpstreamHealth
from pihub.shared.machine import CONTROL, Gauge
from pihub.shared.metrics import Column
from pihub.shared.wan import Wan, WanState, publish
from pihub.store.alerts import AlertRows
from pihub.store.keys import KeyDatabase
from pihub.store.sqlite import StoreFault
from tests.ops.test_health import GB, House, house

__all__ = ["house"]

TURNS, STEP = 120, 15.0


class Disk(NamedTuple):
    total: int
    used: int
    free: int


class World:
    """A house with alerts; `pass_time` lets `trouble` happen at every look."""

    def __init__(self, house: House, control: KeyDatabase, patch: pytest.MonkeyPatch) -> None:
        self.house = house
        self.free = 50 * GB
        self.letters = 0
        self.alerts = AlertService(
            merged(Alerts()), AlertRows(control.database), nobody,
            repeat=0, keep_days=9, clock=lambda: house.now,
        )  # fmt: skip
        self.signals = SignalMaker(
            house.store,
            lambda: self.letters,
            lambda: house.state.counters.total(Column.EVENTS_LOST),
            Wan(house.state.wan).state,
        )
        patch.setattr(watching.shutil, "disk_usage", lambda _: Disk(100 * GB, 0, self.free))
        house.state.machine.put(CONTROL, Gauge.READ_AT, 1)
        house.state.machine.put(CONTROL, Gauge.TEMPERATURE, 50_000)
        house.state.machine.put(CONTROL, Gauge.AVAILABLE, 6 * GB)
        self.claude = UpstreamHealth(house.state, 1, 1)
        # What is usual, and so fast that a slow answer can be told from it.
        house.turn()
        house.watch.pace.stored([house.record().pack()] * 40)

    def pass_time(self, *, trouble: bool) -> set[str]:
        for n in range(TURNS):
            if trouble:
                self._worse(n)
            self.alerts.turn(self.signals.of(self.house.turn(STEP)))
        return {view.row.rule for view in self.alerts.open()}

    def _worse(self, n: int) -> None:
        house, left = self.house, 1 - n / TURNS / 2
        self.free = int(20 * GB * left)
        house.state.machine.put(CONTROL, Gauge.AVAILABLE, int(2 * GB * left))
        house.state.machine.put(CONTROL, Gauge.TEMPERATURE, 90_000)
        house.state.counters.add(0, Column.EVENTS_LOST, 1)
        self.claude.called()
        self.claude.record(ok=False)
        self.letters = 1
        publish(house.state.wan, WanState(offline=True, since=house.now))
        house.watch.pace.stored([house.record(dur_us=60_000_000).pack()])

    def spend(self) -> None:
        """Three budgets at their limits, and a call whose price is unknown."""
        asks = Budget(scope="key", name="3", day_nano=GB, at_limit="ask")
        hard = Budget(scope="hub", name="", month_nano=GB, at_limit="refuse")
        self.house.budgets = [
            BudgetState(1, asks, GB, GB, 0, 0, 0), BudgetState(0, hard, 0, GB, 0, 0, 0),
        ]  # fmt: skip
        one = self.house.record("claude", cache_write_tok=20_000, cost_nano=-1)
        one.ts_ns = int((self.house.now + 900) * 1e9)
        self.house.store.commit(1, {0: 1}, 0, [one.pack()], self.house.state.names)


@pytest.fixture
def world(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    control = KeyDatabase(tmp_path / "control.db")
    yield World(house, control, monkeypatch)
    control.close()


def test_every_built_in_rule_fires(world: World) -> None:
    world.spend()
    assert world.pass_time(trouble=True) == set(BUILT_IN)


def test_none_fires_when_all_is_well(world: World) -> None:
    assert world.pass_time(trouble=False) == set()


def test_a_budget_is_called_as_people_call_it(house: House, tmp_path: Path) -> None:
    """In the sentence and in what subscribers get; the subject itself stays what it is."""
    told: list[Word] = []
    control = KeyDatabase(tmp_path / "control.db")
    named = Subjects(lambda: {3: "website"}, lambda: {7: "olga's"})
    alerts = AlertService(
        merged(Alerts()), AlertRows(control.database), lambda word: bool(told.append(word) or 1),
        repeat=0, keep_days=9, clock=lambda: house.now, named=named,
    )  # fmt: skip
    signals = SignalMaker(house.store, lambda: 0, lambda: 0, Wan(house.state.wan).state, named)
    house.budgets = [
        BudgetState(1, Budget(scope="key", name="3", day_nano=GB), GB, GB, 0, 0, 0),
        BudgetState(2, Budget(scope="tenant", name="7", day_nano=GB), GB, GB, 0, 0, 0),
        BudgetState(3, Budget(scope="user", name="Olga", day_nano=GB), GB, GB, 0, 0, 0),
    ]
    for _ in range(TURNS):
        alerts.turn(signals.of(house.turn(STEP)))
    control.close()
    hard = {word.alert.subject: word for word in told if word.alert.rule == "budget_hard"}
    assert {one: word.subject for one, word in hard.items()} == {
        "key:3 day": "key 3 (website) day",
        "tenant:7 day": "tenant 7 (olga's) day",
        "user:Olga day": "user:Olga day",
    }
    for word in told:
        assert word.subject in word.alert.text or not word.alert.rule.startswith("budget")


def test_names_are_asked_for_only_where_somebody_is_named() -> None:
    asked: list[str] = []
    now = 0.0

    def keys() -> dict[int, str]:
        asked.append("keys")
        if now > 50:
            raise StoreFault("busy")
        return {1: "website"}

    named = Subjects(keys, dict, lambda: now)
    assert named("The disk is full in 3 days, monkey:1.").startswith("The disk")
    assert asked == []
    assert named("Budget key:1 day, key:2") == "Budget key 1 (website) day, key 2"
    assert (named("tenant:1"), asked) == ("tenant 1", ["keys"])
    now = 40.0
    named("key:1")
    now = 80.0
    assert (named("key:1"), asked) == ("key 1 (website)", ["keys"] * 3)
