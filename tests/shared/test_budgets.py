from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from pihub.shared.budgets import MAX, Budgets, Spent, Window
from pihub.shared.state import Plan, SharedState

TODAY = Window.of(date(2026, 3, 31))


@pytest.fixture(scope="module")
def state() -> SharedState:
    return SharedState.create(Plan(workers=1, cache_bytes=1 << 20))


@pytest.fixture
def budgets(state: SharedState) -> Budgets:
    state.arena.claim_slot(1, 123)
    state.process_began(1)
    return Budgets(state.budgets, 1, state.arena.secret)


def test_windows_grow_by_one() -> None:
    assert Window.of(date(2026, 4, 1)) == (TODAY.day + 1, TODAY.month + 1)
    assert Window.of(date(1970, 1, 1)) == (0, 0)
    late = datetime(2026, 3, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert Window.of(late) == TODAY  # the operator's day, not Greenwich's


def test_reserve_and_settle(budgets: Budgets) -> None:
    rows = budgets.of([("key", 1), ("tenant", 1), ("model", "m")])
    assert rows.scopes == ("key", "tenant", "model")
    budgets.limit("tenant", 1, day=1000, soft_month=900)
    hold = budgets.reserve(rows, 800, TODAY)
    assert hold.refused is None
    assert hold.soft is None
    second = budgets.reserve(rows, 201, TODAY)
    assert second.refused == ("tenant", "day")
    budgets.settle(second, 5, TODAY)
    budgets.settle(hold, 300, TODAY)
    budgets.settle(hold, 300, TODAY)
    assert budgets.state("tenant", 1, TODAY) == Spent(300, 300, 0, 1000, 0, 0, 900)
    third = budgets.reserve(rows, 650, TODAY)
    assert third.soft == ("tenant", "month")
    assert budgets.reserve(rows, 5000, TODAY, force=True).refused is None
    budgets.settle(third, -1, TODAY)
    budgets.correct(rows, -100, TODAY)
    assert budgets.states("model", ["m", "none"], TODAY)["m"].day == 200
    assert budgets.state("model", "none", TODAY) is None


def test_restoring_makes_the_counter_the_ledger(budgets: Budgets) -> None:
    assert budgets.restore("key", 9, TODAY, 40, 400) == (40, 400)
    assert budgets.restore("key", 9, TODAY, 41, 390) == (1, -10)
    assert budgets.state("key", 9, TODAY) == Spent(41, 390, 0, 0, 0, 0, 0)


def test_a_dead_worker_holds_nothing(state: SharedState, budgets: Budgets) -> None:
    rows = budgets.of([("user", "ann")])
    budgets.reserve(rows, 70, TODAY)
    assert budgets.state("user", "ann", TODAY) == Spent(0, 0, 70, 0, 0, 0, 0)
    state.process_died(1, state.incarnations()[1])
    assert budgets.state("user", "ann", TODAY) == Spent(0, 0, 0, 0, 0, 0, 0)


def test_odd_arguments(budgets: Budgets) -> None:
    with pytest.raises(ValueError, match="scope"):
        budgets.row("planet", 1)
    hold = budgets.reserve(budgets.of([("key", 77)]), MAX * 4, TODAY)
    assert hold.amount == MAX
    budgets.settle(hold, 0, TODAY)
