"""Breakers under four processes: exact counts, one probe a lease."""

from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.breaker import OPEN, Breaker
from pihub._core.counters import Counters
from tests.race.forks import fork, rounds, running, wait

WORKERS = 4


def make() -> tuple[Breaker, Counters]:
    regions = [("b", Breaker.size_for(1)), ("c", Counters.size_for(WORKERS, 2))]
    arena = Arena.create(regions, WORKERS)
    return Breaker(arena, "b", 1), Counters(arena, "c", WORKERS, 2)


def at_once(counters: Counters, row: int) -> None:
    """Go on when all workers are here: a race needs runners."""
    counters.add(row, 1, 1)
    while counters.total(1) < WORKERS:
        pass


def test_no_outcome_is_lost() -> None:
    each = 450_000
    breaker, ready = make()
    breaker.configure(0, 2**30, 16_000, 1_000, 1_000)

    def work(row: int) -> None:
        at_once(ready, row)
        for i in range(each):
            breaker.record(0, row % 2 == 0, 10_000 + i * 15_000 // each)  # 15 sixteenths

    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert breaker.counts(0, 10_000 + 14_999) == (2 * each, 2 * each)


def test_one_probe_a_lease() -> None:
    """A lease is over at each step of the clock, and all workers walk along the same steps.

    Whoever comes first at a step gets its probe; all others come too late, or lose the
    race. So there are exactly as many probes as steps.
    """
    steps = 400_000
    breaker, granted = make()
    breaker.configure(0, 1, 1_000, 5, 5)
    breaker.record(0, False, 0)
    assert breaker.state(0, 0) == OPEN

    def work(me: int) -> None:
        at_once(granted, me)
        granted.add(me, 0, sum(breaker.allow(0, step * 10) for step in range(1, steps + 1)))

    wait([fork(lambda me=me: work(me)) for me in range(WORKERS)])
    assert granted.total(0) == steps
    assert sum(granted.get(me, 0) > 0 for me in range(WORKERS)) > 1, "nobody competed"


def test_a_hold_is_told_whole_while_it_is_set_and_ended() -> None:
    breaker, _ = make()

    def work() -> None:
        while True:
            breaker.hold(0, OPEN, 2_000)
            breaker.unhold(0, 1_000)

    seen = set[tuple[int, int] | None]()
    with running(work):
        for _ in rounds(600_000, lambda: len(seen) > 1):
            seen.add(breaker.held(0, 1_000))
    assert seen == {None, (OPEN, 1_000)}
