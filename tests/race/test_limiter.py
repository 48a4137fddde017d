"""The limiter under four processes admits exactly what one would."""

from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.limiter import Limiter
from tests.race.forks import fork, wait

WORKERS, HITS, BURST = 4, 600_000, 1_500_000


def at_once(counters: Counters, row: int, column: int) -> None:
    """Go on when all workers are here: a race needs runners."""
    counters.add(row, column, 1)
    while counters.total(column) < WORKERS:
        pass


def test_admits_exactly_its_burst() -> None:
    regions = [("l", Limiter.size_for(1)), ("c", Counters.size_for(WORKERS, 2))]
    arena = Arena.create(regions, WORKERS)
    limiter = Limiter(arena, "l", 1)
    admitted = Counters(arena, "c", WORKERS, 2)
    limiter.configure(0, 10**6, BURST)

    def work(row: int) -> None:
        at_once(admitted, row, 1)
        passed = sum(limiter.hit(0, 10**9) == 0 for _ in range(HITS))
        admitted.add(row, 0, passed)

    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert admitted.total(0) == BURST
    assert limiter.remaining(0, 10**9) == 0


def test_corrections_are_not_lost() -> None:
    regions = [("l", Limiter.size_for(1)), ("c", Counters.size_for(WORKERS, 1))]
    arena = Arena.create(regions, WORKERS)
    limiter = Limiter(arena, "l", 1)
    ready = Counters(arena, "c", WORKERS, 1)
    limiter.configure(0, 1_000, 10**7)

    def work(row: int) -> None:
        at_once(ready, row, 0)
        for _ in range(HITS):
            limiter.correct(0, 1 if row else -1)

    limiter.correct(0, 5 * 10**6)
    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert limiter.remaining(0, 0) == 10**7 - 5 * 10**6 - 2 * HITS
