from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pihub._core.arena import Arena
from pihub._core.budget import MAX, Budget
from tests.effort import examples
from tests.model import budget as model

ROWS, SLOTS = 4, 3
AMOUNT = st.integers(0, 1000)
DAYS = st.integers(20, 23)
PARTS = st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=3, unique=True).map(tuple)


def make(rows: int = ROWS, slots: int = SLOTS) -> tuple[Arena, Budget]:
    arena = Arena.create([("b", Budget.size_for(rows, slots))], 2)
    return arena, Budget(arena, "b", rows, slots)


class AsTheModel(RuleBasedStateMachine):
    """Every interleaving of one thread: the table and its twin say the same."""

    @initialize()
    def start(self) -> None:
        _, self.real = make()
        self.twin = model.Budget(ROWS)
        self.holds: list[tuple[int, tuple[int, ...], int]] = []
        for slot in range(SLOTS):
            self.real.begin(slot, 7)

    @rule(row=st.integers(0, ROWS - 1), n=st.tuples(*[st.integers(0, 3000)] * 4))
    def limit(self, row: int, n: tuple[int, int, int, int]) -> None:
        self.real.limit(row, *n)
        self.twin.rows[row].limits = list(n[:2])
        self.twin.rows[row].soft = list(n[2:])

    @rule(slot=st.integers(0, SLOTS - 1), rows=PARTS, n=AMOUNT, day=DAYS, force=st.booleans())
    def reserve(self, slot: int, rows: tuple[int, ...], n: int, day: int, force: bool) -> None:
        said = self.real.reserve(slot, rows, n, day, day // 2, force)
        assert said == self.twin.reserve(slot, rows, n, (day, day // 2), force)
        if said <= 0:
            self.holds.append((slot, rows, n))

    @rule(i=st.integers(0, 99), actual=st.integers(-500, 2000), day=DAYS)
    def settle(self, i: int, actual: int, day: int) -> None:
        if self.holds:
            slot, rows, n = self.holds.pop(i % len(self.holds))
            self.real.settle(slot, rows, n, actual, day, day // 2)
            self.twin.settle(slot, rows, n, actual, (day, day // 2))

    @rule(slot=st.integers(0, SLOTS - 1))
    def die(self, slot: int) -> None:
        self.real.recover(slot, 7)
        self.twin.recover(slot)
        self.holds = [hold for hold in self.holds if hold[0] != slot]

    @rule(row=st.integers(0, ROWS - 1), day=DAYS, n=st.integers(-2000, 2000))
    def spend(self, row: int, day: int, n: int) -> None:
        self.real.spend(row, day, n, day // 2, -n)
        self.twin.rows[row].spend(0, day, n)
        self.twin.rows[row].spend(1, day // 2, -n)

    @invariant()
    def alike(self) -> None:
        for number, row in enumerate(self.twin.rows):
            for day in (20, 22):
                spent = [
                    0 if row.window[w] < at else row.spent[w]
                    for w, at in enumerate((day, day // 2))
                ]
                held = sum(row.held.values())
                assert self.real.state(number, day, day // 2) == (
                    *spent, held, *row.limits, *row.soft,
                )  # fmt: skip


TestAsTheModel = AsTheModel.TestCase
TestAsTheModel.settings = settings(examples(40), stateful_step_count=40)


def test_finds_and_claims_rows() -> None:
    _, budget = make()
    assert budget.find(99) == -1
    first = budget.find(99, True)
    assert budget.find(99) == budget.find(99, True) == first
    others = {budget.find(n << 40 | 1, True) for n in range(1, ROWS)}
    assert len(others | {first}) == ROWS == budget.used() == budget.rows
    assert budget.find(12345, True) == -1 == budget.find(12345)
    with pytest.raises(ValueError, match="free row"):
        budget.find(0)


def test_a_new_window_starts_from_nothing_and_an_old_one_is_closed() -> None:
    _, budget = make()
    budget.spend(0, 10, 500, 1, 500)
    budget.spend(0, 11, 7, 1, 7)
    assert budget.state(0, 11, 1)[:2] == (7, 507)
    budget.settle(0, (0,), 0, 100, 10, 1)  # it began yesterday, settled late
    assert budget.state(0, 11, 1)[:2] == (7, 607)
    assert budget.state(0, 12, 2)[:2] == (0, 0)


def test_amounts_stop_at_the_ends() -> None:
    _, budget = make()
    budget.spend(0, 1, MAX, 1, -5)
    budget.spend(0, 1, MAX, 1, 3)
    assert budget.state(0, 1, 1)[:2] == (MAX, 3)


def test_only_the_life_that_held_it_is_released() -> None:
    _, budget = make()
    budget.begin(1, 4)
    budget.reserve(1, (0, 2), 50, 1, 1)
    assert budget.recover(1, 3) == 0
    assert budget.held(1, 0) == 50
    assert budget.recover(1, 4) == 2
    assert budget.held(1, 0) == 0 == budget.state(0, 1, 1)[2]
    budget.reserve(1, (0,), 50, 1, 1)
    budget.begin(1, 5)
    assert budget.held(1, 0) == 0


def test_bad_arguments() -> None:
    arena, budget = make()
    for call in (
        lambda: budget.reserve(0, (ROWS,), 1, 1, 1),
        lambda: budget.reserve(SLOTS, (0,), 1, 1, 1),
        lambda: budget.limit(ROWS),
        lambda: budget.state(ROWS, 1, 1),
        lambda: budget.held(0, ROWS),
        lambda: budget.begin(SLOTS, 1),
        lambda: budget.recover(SLOTS, 1),
    ):
        with pytest.raises(IndexError):
            call()
    for call in (
        lambda: budget.reserve(0, (0,) * 9, 1, 1, 1),
        lambda: budget.reserve(0, (0,), -1, 1, 1),
        lambda: budget.reserve(0, (0,), MAX + 1, 1, 1),
        lambda: budget.reserve(0, (0,), 1, 1 << 16, 1),
        lambda: budget.settle(0, (0,), -1, 1, 1, 1),
        lambda: budget.settle(0, (0,), 1, MAX + 1, 1, 1),
        lambda: budget.spend(0, 1, MAX + 1, 1, 0),
        lambda: budget.limit(0, -1),
        lambda: Budget.size_for(0, 1),
        lambda: Budget.size_for(1, 66),
    ):
        with pytest.raises(ValueError):
            call()
    seen = Budget(Arena.attach(arena.fd, True), "b", ROWS, SLOTS)
    assert seen.state(0, 1, 1)[0] == 0
    for write in (
        lambda: seen.reserve(0, (0,), 1, 1, 1),
        lambda: seen.settle(0, (0,), 1, 1, 1, 1),
        lambda: seen.limit(0, 1),
        lambda: seen.begin(0, 1),
        lambda: seen.recover(0, 1),
        lambda: seen.spend(0, 1, 1, 1, 1),
        lambda: seen.find(5, True),
    ):
        with pytest.raises(PermissionError):
            write()
