"""The queue before a local upstream, by many processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import time

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.queue import Queue
from tests.race.forks import fork, until, wait

PROCESSES = 4
ROUNDS = 150


def now() -> int:
    return int(time.monotonic() * 1000)


def shared(width: int) -> tuple[Queue, Counters]:
    arena = Arena.create(
        [("queues", Queue.size_for(1)), ("seen", Counters.size_for(PROCESSES + 1, 2))], 8
    )
    queue, seen = Queue(arena, "queues", 1), Counters(arena, "seen", PROCESSES + 1, 2)
    queue.configure(0, width, 100)
    return queue, seen


def test_never_two_at_once_and_everybody_gets_a_turn() -> None:
    queue, seen = shared(1)

    def work(me: int) -> None:
        for _ in range(ROUNDS):
            ticket = queue.enter(0, me, me, 7, 10, 0, now())
            assert ticket >= 0
            while queue.turn(0, ticket, now())[0]:
                time.sleep(0)
            seen.add(me, 0, 1)
            assert seen.total(0) == 1, "another one is inside"
            seen.add(me, 0, -1)
            seen.add(me, 1, 1)
            queue.leave(0, ticket, now())

    wait([fork(lambda me=me: work(me)) for me in range(PROCESSES)])
    assert seen.total(1) == PROCESSES * ROUNDS
    assert queue.load(0, now()) == (0, 0, 0)


def test_the_killed_holder_lets_the_next_one_in() -> None:
    queue, seen = shared(1)

    def hold() -> None:
        ticket = queue.enter(0, 1, 1, 7, 10, 0, now())
        assert queue.turn(0, ticket, now())[0] == 0
        queue.enter(0, 1, 1, 7, 10, 0, now())
        seen.add(1, 0, 1)
        time.sleep(60)

    pid = fork(hold)
    until(lambda: seen.total(0) == 1)
    mine = queue.enter(0, 2, 2, 7, 10, 0, now())
    assert queue.turn(0, mine, now())[0] > 0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert queue.turn(0, mine, now())[0] > 0, "not before the arbiter has seen the death"
    queue.recover(1)
    assert queue.turn(0, mine, now()) == (0, 0)
    assert queue.load(0, now())[:2] == (0, 1)
