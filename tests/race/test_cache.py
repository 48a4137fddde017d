"""The shared cache under real processes: whole and own values only, whatever is killed when.

A value says whose it is: its first 24 bytes are the key, the tenant and a number, and it
is those bytes repeated to a length that follows from them. So a torn value, a foreign one
and one of another tenant are all told apart from the one that was asked for.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable

import pytest

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub._core.counters import Counters
from tests.race.forks import SLOWNESS, fork, kill, wait

WORKERS = 4
KEYS = 300


def key_of(i: int) -> tuple[int, int, int]:
    rng = random.Random(i % (KEYS // 2))
    return rng.getrandbits(64), rng.getrandbits(64), i // (KEYS // 2)


ALL = [key_of(i) for i in range(KEYS)]
"""Two tenants, each with the same hashes."""


def value_of(i: int, number: int) -> bytes:
    head = struct.pack("<IIQQ", i, ALL[i][2], ALL[i][0] ^ number, number)
    size = (number * 2_654_435_761 >> 7) % 6_000
    return (head * (size // 24 + 2))[: size + 24]


def check(i: int, value: bytes) -> None:
    which, tenant, _, number = struct.unpack_from("<IIQQ", value)
    assert which == i, f"key {i} got the value of {which}"
    assert tenant == ALL[i][2], f"tenant {ALL[i][2]} got a value of {tenant}"
    assert value == value_of(i, number), f"a torn value of key {i}"


def make(payload: int) -> tuple[Cache, Counters]:
    regions = [("cache", Cache.size_for(payload)), ("c", Counters.size_for(WORKERS + 1, 2))]
    arena = Arena.create(regions, WORKERS)
    return Cache(arena, "cache"), Counters(arena, "c", WORKERS + 1, 2)


def traffic(
    cache: Cache, counters: Counters, slot: int, incarnation: int, seed: int
) -> Callable[[int], None]:
    """A function that makes some gets and puts."""
    cache.set_owner(slot << 16 | incarnation)
    rng = random.Random(seed)

    def run(times: int) -> None:
        for _ in range(times):
            i = min(int(rng.paretovariate(0.5)) - 1, KEYS - 1)
            found = cache.get(*ALL[i])
            if found is not None:
                check(i, found)
                counters.add(slot, 0, 1)
            if found is None or rng.random() < 0.3:
                cache.put(*ALL[i], value_of(i, rng.getrandbits(40)), 60)
                counters.add(slot, 1, 1)

    return run


@pytest.mark.parametrize("payload", [96 * 1024, 2 << 20])
def test_never_torn_never_foreign(payload: int) -> None:
    cache, counters = make(payload)

    def work(slot: int) -> None:
        traffic(cache, counters, slot, 1, slot)(25_000)

    wait([fork(lambda slot=slot: work(slot)) for slot in range(1, WORKERS + 1)])
    stats = cache.stats()
    assert counters.total(0) > 10_000
    assert stats["puts"] + stats["lock_busy"] == counters.total(1)
    assert stats["lock_busy"] < counters.total(1) / 2
    if payload < 1 << 20:
        assert stats["evicted"] > 1_000
    assert stats["entries"] == sum(cache.get(*key) is not None for key in ALL)


def test_kill_anywhere() -> None:
    """70 kills of writers in the middle of it: nothing sticks, nothing is torn, counts agree."""
    cache, counters = make(96 * 1024)
    rng = random.Random(1)
    incarnations = [0] * (WORKERS + 1)
    pids = [0] * (WORKERS + 1)

    def start(slot: int) -> None:
        incarnations[slot] += 1
        incarnation = incarnations[slot]

        def work() -> None:
            run = traffic(cache, counters, slot, incarnation, slot << 16 | incarnation)
            while True:
                run(1_000)

        pids[slot] = fork(work)

    for slot in range(1, WORKERS + 1):
        start(slot)
    reader = traffic(cache, counters, 0, 1, 0)
    inside = 0
    try:
        for turn in range(70):
            slot = 1 + turn % WORKERS
            deadline = time.monotonic() + rng.uniform(0.01, 0.05)
            while time.monotonic() < deadline:
                for i in rng.choices(range(KEYS), k=20):
                    found = cache.get(*ALL[i])
                    if found is not None:
                        check(i, found)
            kill(pids[slot])
            inside += cache.recover(slot << 16 | incarnations[slot])
            start(slot)
    finally:
        for slot in range(1, WORKERS + 1):
            kill(pids[slot])
            inside += cache.recover(slot << 16 | incarnations[slot])
    assert inside > 0, "no kill hit a writer inside of the lock: the test proved nothing"
    assert counters.total(0) > 1_000
    reader(2_000)
    key = ALL[0]
    assert cache.put(*key, value_of(0, 1), 60), "the shard's lock is stuck"
    assert cache.get(*key) == value_of(0, 1)
    assert cache.stats()["entries"] == sum(cache.get(*k) is not None for k in ALL)


def test_invalidation_reaches_all_processes() -> None:
    """After invalidate_tenant returns, no process sees a value put before it."""
    cache, counters = make(1 << 20)

    def work(slot: int) -> None:
        cache.set_owner(slot << 16 | 1)
        while True:
            epoch = counters.get(0, 0)
            found = cache.get(1, 2, 3)
            if found is not None:
                assert int(found) >= epoch, f"{found!r} seen after invalidation {epoch}"
                counters.add(slot, 0, 1)
            if epoch >= 300:
                return

    pids = [fork(lambda slot=slot: work(slot)) for slot in range(1, 4)]
    cache.set_owner(1)

    def seen() -> int:
        return sum(counters.get(slot, 0) for slot in range(1, 4))

    deadline = time.monotonic() + 60 * SLOWNESS
    try:
        for epoch in range(1, 301):
            before = seen()
            while not cache.put(1, 2, 3, b"%d" % (epoch - 1), 60):
                pass
            # On a busy machine the readers may not have had a turn yet: without one that saw this
            # value, its invalidation would prove nothing.
            while seen() == before:
                assert time.monotonic() < deadline, f"no process saw the value of epoch {epoch}"
                os.sched_yield()
            cache.invalidate_tenant(3)
            counters.add(0, 0, 1)
    except BaseException:
        for pid in pids:
            kill(pid)
        raise
    wait(pids)
    assert seen() >= 300
