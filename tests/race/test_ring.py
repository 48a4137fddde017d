"""The ring under real producers: every record is read once and whole, or counted as lost."""

from __future__ import annotations

import hashlib
import random

from pihub._core.arena import Arena
from pihub._core.ring import RECORD, Ring
from tests.race.forks import fork, kill, running, until, wait

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
