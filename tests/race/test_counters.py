"""Counters: no add is lost, whoever adds, whoever dies."""

from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.histogram import Histogram
from tests.race.forks import fork, kill, until, wait

WORKERS, ADDS = 4, 200_000


def test_exact_totals_from_four_processes() -> None:
    arena = Arena.create([("c", Counters.size_for(WORKERS, 3))], WORKERS)
    counters = Counters(arena, "c", WORKERS, 3)

    def work(row: int) -> None:
        for _ in range(ADDS):
            counters.add(row, 0, 1)
            counters.add(row, 1, row + 1)
            counters.add(row, 2, -1)

    wait([fork(lambda row=row: work(row)) for row in range(WORKERS)])
    assert counters.total(0) == WORKERS * ADDS
    assert counters.total(1) == ADDS * sum(range(1, WORKERS + 1))
    assert counters.total(2) == -WORKERS * ADDS


def test_a_killed_worker_loses_nothing() -> None:
    """Column 1 is added after column 0, so at each instant it is equal or one behind."""
    arena = Arena.create([("c", Counters.size_for(1, 2))], 1)
    counters = Counters(arena, "c", 1, 2)

    def work() -> None:
        while True:
            counters.add(0, 0, 1)
            counters.add(0, 1, 1)

    for _ in range(10):
        start = counters.get(0, 0)
        pid = fork(work)
        until(lambda start=start: counters.get(0, 0) > start + 1000)
        kill(pid)
        assert counters.get(0, 0) - counters.get(0, 1) in (0, 1)
        counters.set(0, 1, counters.get(0, 0))


def test_histogram_totals_from_four_processes() -> None:
    arena = Arena.create([("h", Histogram.size_for(WORKERS, 1))], WORKERS)
    histogram = Histogram(arena, "h", WORKERS, 1)

    def work(row: int) -> None:
        for i in range(ADDS):
            histogram.record(row, 0, i)

    pids = [fork(lambda row=row: work(row)) for row in range(WORKERS)]
    seen = 0
    for _ in range(200):
        now = histogram.count(0)
        assert seen <= now <= WORKERS * ADDS
        seen = now
    wait(pids)
    assert histogram.count(0) == WORKERS * ADDS
    assert histogram.sum(0) == WORKERS * ADDS * (ADDS - 1) // 2
    assert sum(count for _, _, count in histogram.buckets(0)) == WORKERS * ADDS
