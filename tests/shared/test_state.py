"""The arena as a whole: create, adopt after a re-exec, attach, recover."""

from __future__ import annotations

import os

import pytest

from pihub.shared.metrics import Column
from pihub.shared.state import Plan, SharedState

PLAN = Plan(workers=2, cache_bytes=4 << 20)


def test_adopting_keeps_everything() -> None:
    state = SharedState.create(PLAN)
    state.counters.add(1, Column.REQUESTS, 5)
    assert state.cache.put(1, 2, 3, b"value", 60)
    again = SharedState.adopt(state.arena.fd, state.eventfds, PLAN)
    assert again is not None
    assert again.counters.total(Column.REQUESTS) == 5
    assert again.cache.get(1, 2, 3) == b"value"


@pytest.mark.parametrize(
    "other", [Plan(workers=3, cache_bytes=4 << 20), Plan(workers=2, cache_bytes=8 << 20)]
)
def test_another_plan_needs_another_arena(other: Plan) -> None:
    state = SharedState.create(PLAN)
    assert SharedState.adopt(state.arena.fd, state.eventfds, other) is None


def test_a_foreign_descriptor_is_no_arena() -> None:
    fd = os.memfd_create("foreign")
    os.ftruncate(fd, 1 << 20)
    assert SharedState.adopt(fd, (), PLAN) is None
    with pytest.raises(ValueError):
        SharedState.attach(fd)
    os.close(fd)


def test_attached_for_reading_only() -> None:
    state = SharedState.create(PLAN)
    state.counters.add(1, Column.REQUESTS, 7)
    reader = SharedState.attach(state.arena.fd)
    assert reader.counters.total(Column.REQUESTS) == 7
    with pytest.raises(PermissionError):
        reader.counters.add(1, Column.REQUESTS, 1)


def test_a_dead_process_gives_back_what_it_held() -> None:
    state = SharedState.create(PLAN)
    state.counters.add(2, Column.IN_FLIGHT, 3)
    assert state.inflight.begin(99, 2, 60_000, 1000) is True
    state.process_died(2, 1)
    assert state.counters.total(Column.IN_FLIGHT) == 0
    assert state.inflight.begin(99, 1, 60_000, 1001) is True, "its lease outlived it"
