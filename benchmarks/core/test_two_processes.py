"""Do two processes slow each other in one cache? 95 gets to 5 puts of 1 KiB, Zipf keys."""

from __future__ import annotations

import mmap
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.core.question import Answer, Target
from pihub._core.arena import Arena
from pihub._core.cache import Cache

KEYS, CALLS, TURNS = 10_000, 4_000, 40
VALUE = os.urandom(1024)
STOP, IDLE, BUSY = 0, 1, 2
MOST = 1.15


def work(cache: Cache, seed: int) -> Callable[[], None]:
    """One window: CALLS operations, drawn before."""
    rng = random.Random(seed)
    weights = [1 / (i + 1) ** 0.99 for i in range(KEYS)]
    keys = [(i * 0x9E3779B97F4A7C15 % 2**64, i * 0xBF58476D1CE4E5B9 % 2**64) for i in range(KEYS)]
    drawn = rng.choices(keys, weights, k=CALLS)
    steps = [(h1, h2, rng.random() < 0.05) for h1, h2 in drawn]
    get, put = cache.get, cache.put

    def window() -> None:
        for h1, h2, write in steps:
            if write:
                put(h1, h2, 1, VALUE, 600.0)
            else:
                get(h1, h2, 1)

    for h1, h2 in keys:
        put(h1, h2, 1, VALUE, 600.0)
    return window


def cpu(window: Callable[[], None]) -> float:
    """Nanoseconds of CPU an operation: whoever else wants the core is not counted."""
    start = time.process_time_ns()
    window()
    return (time.process_time_ns() - start) / CALLS


def other(cache: Cache, state: mmap.mmap) -> None:
    """The second process: runs while it is told to; byte 1 is what it is doing."""
    cache.set_owner(2 << 16 | 1)
    window = work(cache, 2)
    while state[0] != STOP:
        state[1] = state[0]
        if state[0] == BUSY:
            window()
        else:
            time.sleep(0.0005)


def tell(state: mmap.mmap, what: int) -> None:
    state[0] = what
    deadline = time.monotonic() + 10
    while state[1] != what:
        if time.monotonic() > deadline:
            raise RuntimeError("the other process does not answer")
        time.sleep(0.0005)


def measure(rounds: int) -> Answer:
    cache = Cache(Arena.create([("c", Cache.size_for(4 * KEYS * 1100))], 2), "c")
    cache.set_owner(1 << 16 | 1)
    window = work(cache, 1)
    state = mmap.mmap(-1, mmap.PAGESIZE)
    state[0] = IDLE
    child = os.fork()
    if child == 0:
        try:
            other(cache, state)
        finally:
            os._exit(0)
    alone, both = [], []
    try:
        for _ in range(rounds * TURNS):
            tell(state, IDLE)
            alone.append(cpu(window))
            tell(state, BUSY)
            both.append(cpu(window))
    finally:
        state[0] = STOP
        os.waitpid(child, 0)
    row = {"pihub alone": statistics.median(alone), "pihub beside another": statistics.median(both)}
    ratio = statistics.median(b / a for a, b in zip(alone, both, strict=True))
    return Answer(
        str(__doc__),
        rows={"95/5 at 1 KiB": row},
        targets=[Target("95/5 at 1 KiB, two processes x one", ratio, MOST)],
    )


def test_one_process(benchmark: Any) -> None:
    cache = Cache(Arena.create([("c", Cache.size_for(4 * KEYS * 1100))], 2), "c")
    cache.set_owner(1 << 16 | 1)
    benchmark.pedantic(work(cache, 1), rounds=20, warmup_rounds=1)


def test_two_processes(benchmark: Any) -> None:
    benchmark.pedantic(lambda: measure(1), rounds=1)
