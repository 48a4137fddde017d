"""How long until a follower in another process goes on, once the leader has ended?"""

from __future__ import annotations

import os
import select
import statistics
import struct
import time
from typing import Any

from benchmarks.core.question import Answer, Target
from pihub._core.arena import Arena
from pihub._core.inflight import Inflight

TURNS = 1_000
MOST = 20.0
LEADER, FOLLOWER = 1, 2


def follow(table: Inflight, fd: int, ready: int, told: int) -> None:
    """Registers, says so, sleeps in poll, and tells when it went on."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    for key in range(1, TURNS + 1):
        while table.begin(key, FOLLOWER, 60_000, 1) is not False:
            table.end(key, FOLLOWER)
        os.write(ready, b".")
        poll.poll(10_000)
        now = time.perf_counter_ns()
        os.eventfd_read(fd)
        os.write(told, struct.pack("=q", now))


def measure(rounds: int) -> Answer:
    fds = tuple(os.eventfd(0, os.EFD_NONBLOCK) for _ in range(3))
    table = Inflight(Arena.create([("f", Inflight.size_for(64))], 2), "f", fds)
    ready, told = os.pipe(), os.pipe()
    table.begin(1, LEADER, 60_000, 1)
    child = os.fork()
    if child == 0:
        try:
            follow(table, fds[FOLLOWER], ready[1], told[1])
        finally:
            os._exit(0)
    took = []
    for key in range(1, TURNS + 1):
        os.read(ready[0], 1)
        time.sleep(0.0003)  # until it sleeps in poll
        if key < TURNS:
            table.begin(key + 1, LEADER, 60_000, 1)
        start = time.perf_counter_ns()
        table.end(key, LEADER)
        (at,) = struct.unpack("=q", os.read(told[0], 8))
        took.append((at - start) / 1000)
    os.waitpid(child, 0)
    for end in (*ready, *told, *fds):
        os.close(end)
    took.sort()
    row = {"pihub p50": statistics.median(took), "pihub p90": took[TURNS * 9 // 10],
           "pihub least": took[0]}  # fmt: skip
    return Answer(
        str(__doc__),
        unit="us",
        rows={"wake of a follower": row},
        targets=[Target("wake of a follower, p50, us", row["pihub p50"], MOST)],
    )


def test_wake(benchmark: Any) -> None:
    benchmark.pedantic(lambda: measure(1), rounds=1)
