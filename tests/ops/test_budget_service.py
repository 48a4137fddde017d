"""Budgets over restarts: the database, the ledger and the counters agree."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.domain.budget import Budget
from pihub.errors import BadRequest, NotFound
from pihub.ops.budgets import HUB, BudgetService, open_budgets, window_now
from pihub.settings.money import Money
from pihub.settings.schema import Settings, Store
from pihub.shared.budgets import Budgets
from pihub.shared.events import Record
from pihub.shared.spending import PlanReader
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore

USD = 10**9
LAPTOP = Budget(scope="key", name="5", day_nano=USD, at_limit="downgrade")


class Names:
    """The arena's table of names, as far as the store asks."""

    def lookup(self, index: int) -> str:
        return ("", "claude", "gpt")[index]


class House:
    """A hub's books in a folder; `service()` is a control process's start."""

    def __init__(self, folder: Path, **money: float) -> None:
        self.settings = Settings(
            store=Store(url=f"sqlite://{folder}/pihub.db"), money=Money(**money)
        )
        self.metrics = MetricsStore(folder / "pihub.db")
        self.state = SharedState.create(Plan(1, 1 << 22))
        self.users = {5: "ann", 6: "ann", 7: "bob"}
        self.behind = 0
        self._position = 0

    def service(self) -> BudgetService:
        return open_budgets(
            self.settings,
            self.state,
            0,
            self.metrics.database,
            lambda: self.behind,
            lambda: self.users,
        )

    def power_cycle(self) -> None:
        for fd in self.state.eventfds:
            os.close(fd)
        self.state = SharedState.create(Plan(1, 1 << 22))

    def spends(self, nano: int, *, key: int = 5, tenant: int = 1, model: int = 1) -> None:
        """A request in the ledger."""
        record = Record(
            ts_ns=time.time_ns(), rid=1, cost_nano=nano, key=key, tenant=tenant, model=model,
            status=200,
        )  # fmt: skip
        self._position += 1
        self.metrics.commit(1, {0: self._position}, 0, [record.pack()], Names())

    @property
    def counters(self) -> Budgets:
        return Budgets(self.state.budgets, 0, self.state.arena.secret)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.metrics.close()
    for fd in made.state.eventfds:
        os.close(fd)


def test_a_budget_counts_what_was_spent_before_it_was_made(house: House) -> None:
    house.spends(1234)
    house.spends(99, key=6)
    state = house.service().put(LAPTOP)
    assert (state.spent_day, state.spent_month, state.budget) == (1234, 1234, LAPTOP)
    assert PlanReader(house.state.spending)().modes == {"key:5": "downgrade"}
    raw = house.counters.state("key", "5", window_now())
    assert raw is not None and (raw.limit_day, raw.soft_day) == (USD, USD * 80 // 100)


@pytest.mark.parametrize(
    ("scope", "name", "want"),
    [("tenant", "1", 30), ("key", "5", 10), ("user", "ann", 30), ("model", "claude", 10)],
)
def test_each_scope_sums_its_own(house: House, scope: str, name: str, want: int) -> None:
    house.spends(10, key=5, tenant=1, model=1)
    house.spends(20, key=6, tenant=1, model=2)
    house.spends(40, key=7, tenant=2, model=2)
    budget = Budget(scope=scope, name=name, day_nano=USD)  # type: ignore[arg-type]
    assert house.service().put(budget).spent_day == want


def test_after_a_power_cut_counters_are_what_the_ledger_says(house: House) -> None:
    service = house.service()
    number = service.put(LAPTOP).id
    service.close()
    house.spends(777)
    house.power_cycle()
    again = house.service()
    assert again.one(number).spent_day == 777
    again.close()


def test_a_restart_of_the_control_process_alone_keeps_the_counters(house: House) -> None:
    service = house.service()
    number = service.put(LAPTOP).id
    rows = house.counters.of([("key", "5")])
    house.counters.correct(rows, 500, window_now())  # settled, not yet in the ledger
    service.close()
    assert house.service().one(number).spent_day == 500


def test_the_hub_s_own_budget_stands_in_the_configuration(tmp_path: Path) -> None:
    house = House(tmp_path, per_day_usd=2.5)
    house.spends(5)
    service = house.service()
    (state,) = service.states()
    assert (state.id, state.budget.day_nano, state.spent_day) == (HUB, 2_500_000_000, 5)
    for wrong in (
        lambda: service.delete(HUB),
        lambda: service.approve(HUB, "day", 1, "me"),
        lambda: service.put(Budget(scope="hub", name="", day_nano=1)),
    ):
        with pytest.raises(BadRequest):
            wrong()
    house.metrics.close()


def test_an_approval_lifts_the_limit_of_its_day_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = house.service()
    number = service.put(Budget(scope="key", name="5", day_nano=USD, at_limit="ask")).id
    assert service.approve(number, "day", USD // 2, "olga").extra_day == USD // 2

    def limit() -> int:
        found = house.counters.state("key", "5", window_now())
        assert found is not None
        return found.limit_day

    assert limit() == USD * 3 // 2
    later = window_now()._replace(day=window_now().day + 1)
    monkeypatch.setattr("pihub.ops.budgets.window_now", lambda: later)
    service.start(fresh=False)
    assert limit() == USD
    with pytest.raises(BadRequest):
        service.approve(number, "day", 0, "olga")


def test_removed_means_no_limit(house: House) -> None:
    service = house.service()
    number = service.put(LAPTOP).id
    service.delete(number)
    assert service.states() == [] and not PlanReader(house.state.spending)().modes
    found = house.counters.state("key", "5", window_now())
    assert found is not None and found.limit_day == 0
    with pytest.raises(NotFound):
        service.one(number)
    with pytest.raises(NotFound):
        service.delete(number)


def test_a_budget_without_a_limit_is_refused(house: House) -> None:
    with pytest.raises(BadRequest, match="above 0"):
        house.service().put(Budget(scope="key", name="5"))


def test_a_counter_that_differs_from_the_ledger_is_corrected_once_all_is_still(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    service = house.service()
    number = service.put(LAPTOP).id
    house.spends(1000)
    house.counters.correct(house.counters.of([("key", "5")]), 400, window_now())
    house.behind = 3
    assert service.reconcile() == 0, "records are still on their way"
    house.behind = 0
    assert service.reconcile() == 1
    assert service.one(number).spent_day == 1000
    assert "the counter of budget key:5 was 400/400" in caplog.text
    assert service.reconcile() == 0 and service.corrections == 1


def test_many_budgets_fit_the_board(house: House) -> None:
    service = house.service()
    for n in range(200):
        service.put(Budget(scope="model", name=f"model-{n}-of-some-length", month_nano=USD))
    assert len(PlanReader(house.state.spending)().modes) == 200
