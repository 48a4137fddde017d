"""Single-flight under four processes: no overlapping leaders, no lost wake-up, no wedge."""

from __future__ import annotations

import os
import random
import time

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.inflight import Inflight
from tests.race.forks import fork, kill, until, wait
from tests.readable import readable

WORKERS = 4
LEASE = 60_000


def now() -> int:
    return int(time.monotonic() * 1000)


def make(columns: int) -> tuple[Inflight, Counters, tuple[int, ...]]:
    fds = tuple(os.eventfd(0, os.EFD_NONBLOCK) for _ in range(WORKERS + 1))
    regions = [("f", Inflight.size_for(8)), ("c", Counters.size_for(WORKERS + 1, columns))]
    arena = Arena.create(regions, WORKERS)
    return Inflight(arena, "f", fds), Counters(arena, "c", WORKERS + 1, columns), fds


def at_once(counters: Counters, row: int, column: int) -> None:
    """Go on when all workers are here: a race needs runners."""
    counters.add(row, column, 1)
    while counters.total(column) < WORKERS:
        pass


def test_no_two_leaders_at_once() -> None:
    """Each leader raises its own flag for the key and looks at all others' flags."""
    keys, leads = 5, 60_000
    table, flags, _ = make(keys + 4)

    def work(me: int) -> None:
        order = random.Random(me).choices(range(keys), k=1_009)
        led = turn = 0
        at_once(flags, me, keys + 3)
        while led < leads:
            turn += 1
            key = order[turn % 1_009]
            verdict = table.begin(key + 1, me, LEASE, 1)
            if verdict:
                flags.add(me, key, 1)
                if flags.total(key) != 1:
                    flags.add(me, keys, 1)
                flags.add(me, key, -1)
                table.end(key + 1, me)
                led += 1
            else:
                flags.add(me, keys + 1 if verdict is False else keys + 2, 1)

    wait([fork(lambda me=me: work(me)) for me in range(1, WORKERS + 1)])
    assert flags.total(keys) == 0, "two leaders of one key"
    assert flags.total(keys + 1) > 0, "nobody ever followed: the test raced nothing"
    assert not any(table.led(key + 1, 1) for key in range(keys))


def test_every_follower_is_woken() -> None:
    """Followers only wait on their eventfd; a lost wake-up would let one time out."""
    turns = 40_000
    table, counts, fds = make(4)

    def work(me: int) -> None:
        led = followed = 0
        at_once(counts, me, 3)
        while led + followed < turns:
            verdict = table.begin(1, me, LEASE, 1)
            if verdict is None:
                counts.add(me, 2, 1)
            elif verdict:
                led += 1
                table.end(1, me)
            else:
                followed += 1
                ready = readable(fds[me], 20)
                assert ready, f"worker {me} was never woken"
                os.eventfd_read(fds[me])
        counts.add(me, 0, led)
        counts.add(me, 1, followed)

    wait([fork(lambda me=me: work(me)) for me in range(1, WORKERS + 1)])
    assert counts.total(0) + counts.total(1) == WORKERS * turns
    assert counts.total(0) > 0


def test_a_killed_leader_is_dropped_and_its_followers_are_woken() -> None:
    table, _, fds = make(1)
    rng = random.Random(3)

    def lead() -> None:
        while True:
            table.begin(1, 1, LEASE, now())
            table.end(1, 1)

    for turn in range(40):
        pid = fork(lead)
        until(lambda: table.led(1, now()))
        spins = rng.randrange(2_000)
        for _ in range(spins):
            pass
        verdict = table.begin(1, 2, LEASE, now())
        kill(pid)
        table.recover(1)
        if verdict is False:
            assert readable(fds[2], 10), f"turn {turn}: not woken"
        os.eventfd_read(fds[2])
        if verdict is not True:
            assert table.begin(1, 2, LEASE, now()) is True, f"turn {turn}: wedged"
        table.end(1, 2)
