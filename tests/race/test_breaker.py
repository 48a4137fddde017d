"""Breakers under four processes: exact counts, one probe a lease."""

from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.breaker import HALF_OPEN, OPEN, Breaker
from pihub._core.counters import Counters
from tests.race.forks import fork, until, wait

WORKERS = 4


def make(rows: int) -> tuple[Breaker, Counters]:
    regions = [("b", Breaker.size_for(rows)), ("c", Counters.size_for(WORKERS, rows + 1))]
    arena = Arena.create(regions, WORKERS)
    return Breaker(arena, "b", rows), Counters(arena, "c", WORKERS, rows + 1)


def test_no_outcome_is_lost() -> None:
    breaker, _ = make(1)
    breaker.configure(0, 2**30, 16_000, 1_000, 1_000)

    def work(row: int) -> None:
        for i in range(60_000):
            breaker.record(0, row % 2 == 0, 10_000 + i // 4)  # fifteen sixteenths

    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert breaker.counts(0, 10_000 + 14_999) == (2 * 60_000, 2 * 60_000)


def test_one_probe_a_lease() -> None:
    """Every row is due at once; all workers rush for each: one of them gets it."""
    rows = 20_000
    breaker, granted = make(rows)
    for row in range(rows):
        breaker.configure(row, 1, 1_000, 100, 10**6)
        breaker.record(row, False, 0)
        assert breaker.state(row, 0) == OPEN

    def work(me: int) -> None:
        granted.add(me, rows, 1)
        until(lambda: granted.total(rows) == WORKERS)
        for row in range(rows):
            if breaker.allow(row, 200):
                granted.add(me, row, 1)

    wait([fork(lambda me=me: work(me)) for me in range(WORKERS)])
    assert {granted.total(row) for row in range(rows)} == {1}
    winners = [sum(granted.get(me, row) for row in range(rows)) for me in range(WORKERS)]
    assert sum(w > 0 for w in winners) > 1, f"nobody competed: {winners}"
    assert breaker.state(0, 200) == HALF_OPEN
