"""Slots claimed by real processes."""

from __future__ import annotations

import os

from pihub._core.arena import Arena
from tests.race.forks import fork, until, wait


def test_each_claim_has_its_own_incarnation() -> None:
    arena = Arena.create([("x", 1)], 1)

    def work() -> None:
        for _ in range(15_000):
            arena.claim_slot(1, os.getpid())

    wait([fork(work) for _ in range(4)])
    assert arena.slot_info(1)[1] == 60_000


def test_a_child_is_seen_by_its_parent() -> None:
    arena = Arena.create([("x", 1)], 2)
    read, write = os.pipe()

    def work() -> None:
        arena.claim_slot(2, os.getpid())
        os.read(read, 1)
        assert arena.release_slot(2, os.getpid())

    pid = fork(work)
    until(lambda: arena.slot_info(2)[0] == pid)
    os.write(write, b"x")
    wait([pid])
    assert arena.slot_info(2)[:2] == (0, 1)
    os.close(read)
    os.close(write)
