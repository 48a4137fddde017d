"""Budgets under four processes: never above the limit, and nothing lost by a death."""

from __future__ import annotations

import random

from pihub._core.arena import Arena
from pihub._core.budget import Budget
from pihub._core.counters import Counters
from tests.race.forks import fork, kill, running, until, wait

WORKERS, LIMIT, TRIES = 4, 200_000, 90_000


def make() -> tuple[Budget, Counters]:
    regions = [
        ("b", Budget.size_for(2, WORKERS + 1)),
        ("c", Counters.size_for(WORKERS + 1, 3)),
    ]
    arena = Arena.create(regions, WORKERS)
    budget = Budget(arena, "b", 2, WORKERS + 1)
    for slot in range(WORKERS + 1):
        budget.begin(slot, 1)
    return budget, Counters(arena, "c", WORKERS + 1, 3)


def test_the_last_of_a_budget_is_given_once() -> None:
    budget, counters = make()
    budget.limit(0, day=LIMIT)

    def work(slot: int) -> None:
        counters.add(slot, 0, 1)
        until(lambda: counters.total(0) == WORKERS)
        got = 0
        for _ in range(TRIES):
            if budget.reserve(slot, (0, 1), 1, 5, 1) == 0:
                budget.settle(slot, (0, 1), 1, 1, 5, 1)
                got += 1
        counters.add(slot, 1, got)

    wait([fork(lambda slot=slot: work(slot)) for slot in range(1, WORKERS + 1)])
    assert counters.total(1) == LIMIT
    assert budget.state(0, 5, 1)[:3] == (LIMIT, LIMIT, 0)
    assert budget.state(1, 5, 1)[:3] == (LIMIT, LIMIT, 0)


def test_never_more_is_held_than_the_limit() -> None:
    budget, counters = make()
    budget.limit(0, month=1000)

    def work(slot: int) -> None:
        rng = random.Random(slot)
        counters.add(slot, 0, 1)
        until(lambda: counters.total(0) == WORKERS)
        held: list[int] = []
        for _ in range(60_000):
            amount = rng.randrange(1, 400)
            if held and rng.random() < 0.5:
                budget.settle(slot, (0,), held.pop(), 0, 5, 1)
            elif budget.reserve(slot, (0,), amount, 5, 1) == 0:
                held.append(amount)
                # all that is granted, counted by those it was granted to
                counters.set(slot, 2, sum(held))
                assert sum(held) <= 1000
            counters.set(slot, 2, sum(held))
        for amount in held:
            budget.settle(slot, (0,), amount, 0, 5, 1)

    wait([fork(lambda slot=slot: work(slot)) for slot in range(1, WORKERS + 1)])
    assert budget.state(0, 5, 1)[:3] == (0, 0, 0)


def test_a_death_releases_what_was_held_and_keeps_what_was_spent() -> None:
    budget, counters = make()
    rng = random.Random(4)

    def spend(slot: int) -> None:
        while True:
            budget.reserve(slot, (0,), 100, 5, 1)
            counters.add(slot, 0, 1)  # about to settle 60
            budget.settle(slot, (0,), 100, 60, 5, 1)
            counters.add(slot, 1, 1)  # settled

    other = [lambda slot=slot: spend(slot) for slot in (2, 3)]
    with running(*other):
        for life in range(2, 42):
            budget.begin(1, life)
            before = counters.get(1, 1)
            victim = fork(lambda: spend(1))
            until(lambda before=before: counters.get(1, 1) > before + rng.randrange(200))
            kill(victim)
            budget.recover(1, life)
            assert budget.held(1, 0) == 0
    for slot in (2, 3):
        budget.recover(slot, 1)
    spent, _, held = budget.state(0, 5, 1)[:3]
    assert held == 0
    # Each death leaves at most one settling that was done and not yet counted.
    assert counters.total(1) * 60 <= spent <= counters.total(0) * 60
    assert counters.total(0) - counters.total(1) <= 42
