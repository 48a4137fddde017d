"""The limiter under four processes admits exactly what one would."""

from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.limiter import Limiter
from tests.race.forks import fork, wait

WORKERS, HITS, BURST = 4, 100_000, 150_000


def test_admits_exactly_its_burst() -> None:
    regions = [("l", Limiter.size_for(1)), ("c", Counters.size_for(WORKERS, 1))]
    arena = Arena.create(regions, WORKERS)
    limiter = Limiter(arena, "l", 1)
    admitted = Counters(arena, "c", WORKERS, 1)
    limiter.configure(0, 10**6, BURST)

    def work(row: int) -> None:
        passed = sum(limiter.hit(0, 10**9) == 0 for _ in range(HITS))
        admitted.add(row, 0, passed)

    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert admitted.total(0) == BURST
    assert limiter.remaining(0, 10**9) == 0


def test_corrections_are_not_lost() -> None:
    limiter = Limiter(Arena.create([("l", Limiter.size_for(1))], 1), "l", 1)
    limiter.configure(0, 1_000, 10**6)

    def work(sign: int) -> None:
        for _ in range(HITS):
            limiter.correct(0, sign)

    limiter.correct(0, 5 * 10**5)
    wait([fork(lambda sign=sign: work(sign)) for sign in (1, 1, 1, -1)])
    assert limiter.remaining(0, 0) == 10**6 - 5 * 10**5 - 2 * HITS
