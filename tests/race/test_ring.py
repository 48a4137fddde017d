"""The ring under real producers: every record is read once and whole, or counted as lost."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import select
import time

import pytest

from pihub._core.arena import Arena
from pihub._core.ring import RECORD, Ring
from tests.race.forks import fork, kill, running, until, wait
from tests.readable import readable

BODY = RECORD - 16


def record(ring: int, n: int) -> bytes:
    """Number, digest of the body, a body that differs in each byte run."""
    body = (n.to_bytes(7, "little") + bytes([ring])) * (BODY // 8)
    return n.to_bytes(8, "little") + hashlib.blake2b(body, digest_size=8).digest() + body


def check(ring: int, raw: bytes) -> int:
    n = int.from_bytes(raw[:8], "little")
    assert raw == record(ring, n), f"torn record {raw.hex()}"
    return n


def make(rings: int, capacity: int) -> tuple[Arena, Ring]:
    arena = Arena.create([("r", Ring.size_for(rings, capacity))], rings)
    return arena, Ring(arena, "r", rings, capacity)


def test_each_record_once_or_counted() -> None:
    """Three producers lap a reader: nothing torn, doubled or unaccounted.

    The records are made beforehand and the ring is tiny, so that producers overwrite what
    the reader is copying; without its second look at the head this fails.
    """
    total = 60_000
    _, ring = make(3, 8)
    made = [[record(which, n) for n in range(total)] for which in range(3)]

    def work(which: int) -> None:
        for raw in made[which]:
            ring.push(which, raw)

    pids = [fork(lambda which=which: work(which)) for which in range(3)]
    cursors, lost, read = [0] * 3, [0] * 3, [0] * 3
    while sum(cursors) < 3 * total:
        for which in range(3):
            cursor, missed, records = ring.read(which, cursors[which], 1000)
            numbers = [check(which, raw) for raw in records]
            assert numbers == list(range(cursors[which] + missed, cursor))
            cursors[which] = cursor
            lost[which] += missed
            read[which] += len(numbers)
    wait(pids)
    assert [a + b for a, b in zip(lost, read, strict=True)] == [total] * 3
    assert sum(read) > 0


def test_nothing_lost_while_the_reader_keeps_up() -> None:
    """A ring that holds all: exact, in order, without a loss."""
    total = 100_000
    _, ring = make(1, 1 << 17)
    pid = fork(lambda: [ring.push(0, record(0, n)) for n in range(total)] and None)
    cursor, numbers = 0, []
    while cursor < total:
        cursor, missed, records = ring.read(0, cursor, 500)
        assert missed == 0
        numbers += [check(0, raw) for raw in records]
    wait([pid])
    assert numbers == list(range(total))


def test_killed_producers_lose_nothing_published() -> None:
    """kill -9 at a random moment, again and again; the next incarnation goes on."""
    _, ring = make(1, 1 << 14)
    rng = random.Random(3)

    def work() -> None:
        n = ring.head(0)
        while True:
            ring.push(0, record(0, n))
            n += 1

    cursor = 0
    for _ in range(25):
        pid = fork(work)
        goal = ring.head(0) + rng.randrange(1, 3000)
        until(lambda goal=goal: ring.head(0) >= goal)
        kill(pid)
        head = ring.head(0)
        while cursor < head:
            start = cursor
            cursor, missed, records = ring.read(0, cursor, 4096)
            numbers = [check(0, raw) for raw in records]
            assert numbers == list(range(start + missed, cursor))
        assert ring.head(0) == head


def test_a_killed_reader_is_not_missed() -> None:
    """The producer never waits; the reader's successor goes on at the saved cursor."""
    _, ring = make(1, 128)

    def produce() -> None:
        n = 0
        while True:
            ring.push(0, record(0, n))
            n += 1

    def consume() -> None:
        cursor = ring.head(0)
        while True:
            cursor, _, records = ring.read(0, cursor, 50)
            for raw in records:
                check(0, raw)

    with running(produce):
        for _ in range(10):
            pid = fork(consume)
            goal = ring.head(0) + 2000
            until(lambda goal=goal: ring.head(0) > goal)
            kill(pid)
        before = ring.head(0)
        until(lambda: ring.head(0) > before)
        cursor, missed, records = ring.read(0, 0, 10)
        assert missed + len(records) == cursor
        assert missed > 0


def sleeping(rings: int, capacity: int) -> tuple[Ring, int]:
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    arena = Arena.create([("r", Ring.size_for(rings, capacity))], rings)
    return Ring(arena, "r", rings, capacity, fd), fd


@pytest.mark.parametrize("rings", [1, 3])
def test_no_record_comes_to_a_sleeper_unheard(rings: int) -> None:
    """A consumer that sleeps whenever there is nothing, and producers that push now and then.

    Whatever instant a push meets of the way to sleep, the consumer wakes: without its look
    at the heads behind the alarms this hangs within the first few rounds."""
    ring, fd = sleeping(rings, 1 << 12)
    total = 50
    seen = mmap.mmap(-1, rings)  # how many of each ring the consumer has read

    def work(which: int) -> None:
        rng = random.Random(which)
        for n in range(total):
            until(lambda n=n: seen[which] >= n)
            began = time.monotonic()
            pause = rng.uniform(0, 0.025)  # the way to sleep takes some 10 ms
            while time.monotonic() < began + pause:
                pass
            ring.push(which, record(which, n))

    pids = [fork(lambda which=which: work(which)) for which in range(rings)]
    cursors = [0] * rings
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    slept = 0
    rng = random.Random(9)
    while sum(cursors) < rings * total:
        time.sleep(rng.uniform(0, 0.01))  # it stores what it has read
        for which in range(rings):
            ring.alarm(which, cursors[which] + 1)
        assert ring.settle(), "membarrier(2) is missing here"
        if all(ring.head(which) == cursors[which] for which in range(rings)):
            slept += 1
            assert poll.poll(10_000), f"asleep while the rings hold records: {cursors}"
            os.eventfd_read(fd)
        for which in range(rings):
            cursors[which], missed, records = ring.read(which, cursors[which], 100)
            assert missed == 0
            for raw in records:
                check(which, raw)
            seen[which] = cursors[which]
    wait(pids)
    assert slept > 0
    os.close(fd)


def test_an_alarm_rings_once_and_a_busy_ring_stays_silent() -> None:
    ring, fd = sleeping(1, 1 << 12)
    ring.alarm(0, 500)

    def produce() -> None:
        for n in range(1000):
            ring.push(0, record(0, n))

    wait([fork(produce)])
    assert os.eventfd_read(fd) == 1
    ring.alarm(0, 700)  # passed already
    wait([fork(produce)])
    assert not readable(fd)
    os.close(fd)
