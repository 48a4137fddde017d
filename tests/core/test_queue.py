"""The queue before a slow upstream: width, capacity, fairness, deaths."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.queue import TICKETS, WIDTH, Queue

Make = Callable[..., Queue]


def make(width: int = 1, capacity: int = 8) -> Queue:
    arena = Arena.create([("queues", Queue.size_for(2))], 4)
    queue = Queue(arena, "queues", 2)
    queue.configure(1, width, capacity)
    return queue


def enter(queue: Queue, key: int = 1, cost: int = 1000, **more: int) -> int:
    given = {"slot": 1, "model": 7, "swap": 0, "now": 0, **more}
    return queue.enter(1, given["slot"], key, given["model"], cost, given["swap"], given["now"])


def test_one_runs_the_others_know_their_place_and_their_wait() -> None:
    queue = make()
    first, second, third = (enter(queue, cost=cost) for cost in (4000, 2000, 1000))
    assert queue.turn(1, first, 100) == (0, 0)
    assert queue.turn(1, second, 1100) == (1, 3000)
    assert queue.turn(1, third, 1100) == (2, 5000)
    assert queue.load(1, 1100) == (2, 1, 6000)
    queue.leave(1, first, 4000)
    assert queue.turn(1, third, 4000)[0] == 2, "not before the one that came before it"
    assert queue.turn(1, second, 4000) == (0, 0)
    assert queue.last(1) == (7, 4000)


def test_full_is_full_and_a_place_that_is_left_is_free() -> None:
    queue = make(capacity=2)
    held = [enter(queue) for _ in range(3)]
    assert enter(queue) == -1
    queue.turn(1, held[0], 0)
    assert enter(queue) == -1
    queue.leave(1, held[1], 0)
    assert enter(queue) >= 0


def test_a_key_with_many_requests_does_not_hold_up_one_with_a_single() -> None:
    queue = make(capacity=20)
    many = [enter(queue, key=1) for _ in range(10)]
    assert queue.turn(1, many[0], 0)[0] == 0
    single = enter(queue, key=2)
    assert queue.turn(1, single, 0)[0] == 2, "behind its equal in cost only"
    queue.leave(1, many[0], 1)
    assert queue.turn(1, many[1], 1)[0] == 0
    queue.leave(1, many[1], 2)
    assert queue.turn(1, single, 2)[0] == 0


def test_requests_of_the_loaded_model_come_first_but_not_for_ever() -> None:
    queue = make(capacity=100)
    running = enter(queue, key=9, model=7)
    queue.turn(1, running, 0)
    other = enter(queue, key=1, model=8, cost=1000, swap=2500)
    order = []
    for n in range(6):
        enter_at = enter(queue, key=2 + n, model=7, cost=1000, swap=2500)
        queue.leave(1, running, n)
        if queue.turn(1, other, n)[0] == 0:
            order.append("other")
            break
        assert queue.turn(1, enter_at, n)[0] == 0
        order.append("same")
        running = enter_at
    assert order[0] == "same"
    assert order[-1] == "other"


def test_a_dead_process_gives_its_places_back() -> None:
    queue = make()
    dead, waits, alive = enter(queue, slot=2), enter(queue, slot=2), enter(queue, slot=3)
    assert queue.turn(1, dead, 0)[0] == 0
    assert queue.turn(1, alive, 0)[0] == 2
    queue.recover(2)
    assert queue.turn(1, alive, 0)[0] == 0
    assert queue.load(1, 0)[:2] == (0, 1)
    assert waits != alive


def test_a_row_without_width_has_no_queue() -> None:
    queue = make()
    assert queue.load(0, 0) == (0, 0, 0)


def test_wrong_numbers_are_refused() -> None:
    queue = make()
    with pytest.raises(ValueError, match="at most"):
        queue.configure(0, WIDTH + 1, 1)
    with pytest.raises(ValueError, match="at most"):
        queue.configure(0, 1, TICKETS)
    with pytest.raises(IndexError):
        queue.turn(1, TICKETS, 0)
    with pytest.raises(IndexError):
        queue.load(2, 0)


@given(st.lists(st.tuples(st.sampled_from("eetl"), st.integers(0, 3), st.integers(1, 50))))
def test_never_more_than_the_width_run(steps: list[tuple[str, int, int]]) -> None:
    queue = make(width=2, capacity=5)
    waiting: list[int] = []
    running: list[int] = []
    for now, (what, key, cost) in enumerate(steps):
        if what == "e":
            ticket = enter(queue, key=key, cost=cost, now=now)
            assert (ticket < 0) == (len(waiting) + len(running) >= 5 + 2)
            if ticket >= 0:
                assert ticket not in waiting + running
                waiting.append(ticket)
        elif what == "t":
            for ticket in list(waiting):
                position, _ = queue.turn(1, ticket, now)
                if position == 0:
                    waiting.remove(ticket)
                    running.append(ticket)
                assert position <= len(waiting) + 1
        elif running:
            queue.leave(1, running.pop(0), now)
        assert len(running) <= 2
        assert queue.load(1, now)[:2] == (len(waiting), len(running))
