"""A killed worker's streams are recorded once, and count in the budgets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import pytest

from pihub.domain.budget import Plan as SpendingPlan
from pihub.ops.budgets import window_now
from pihub.ops.lost_streams import LostStreams
from pihub.settings.prices import builtin_prices
from pihub.shared.budgets import Budgets
from pihub.shared.spending import publish
from pihub.shared.state import STREAMS, Plan, SharedState
from pihub.shared.streams import LiveStream, LiveStreams, StreamTracker
from pihub.store.sqlite import StoreFault

WORKER = 1


class Store:
    """And what is on its way to it."""

    def __init__(self) -> None:
        self.known: set[int] = set()
        self.full = 0
        """Questions until the next fails."""
        self.pushed = self.stored = 0

    def recorded(self, rids: Iterable[int]) -> set[int]:
        self.full -= 1
        if self.full == 0:
            raise StoreFault("the disk is full")
        return self.known.intersection(rids)

    def mark(self) -> Callable[[], bool]:
        pushed = self.pushed
        return lambda: self.stored >= pushed


@pytest.fixture
def state() -> Iterator[SharedState]:
    made = SharedState.create(Plan(1, 1 << 22))
    for slot, pid in ((0, os.getpid()), (WORKER, 99)):
        made.arena.claim_slot(slot, pid)
        made.process_began(slot)
    yield made
    for fd in made.eventfds:
        os.close(fd)


def opened(state: SharedState, *rids: int) -> None:
    tracker = StreamTracker(state.streams, WORKER)
    names = state.names.intern
    for rid in rids:
        stream = tracker.open(
            rid, key=3, tenant=1, route=1, model=names("claude-haiku-4-5"),
            upstream=names("claude"), alias=names("assistant"), input_tokens=100,
        )  # fmt: skip
        stream.content(20, 80)


def looking(state: SharedState, store: Store) -> LostStreams:
    return LostStreams(
        state,
        0,
        LiveStreams(state.streams, state.names, STREAMS),
        store,
        builtin_prices(),
        {"claude": "anthropic"},
        store.mark,
        window_now,
    )


def rids(state: SharedState) -> list[int]:
    return [record.rid for record in state.events.read(0, 0)[2]]


def test_recorded_by_what_was_received_and_only_once(state: SharedState) -> None:
    store = Store()
    lost = looking(state, store)
    publish(state.spending, SpendingPlan({"key:3": "refuse"}))
    opened(state, 7, 8)
    store.pushed = 5
    lost.look()
    assert lost.count == 0, "its worker lives"
    state.arena.release_slot(WORKER, 99)
    lost.look()
    assert lost.count == 0, "records of the dead worker may still be on their way"
    store.known.add(8)  # this one's record was written before the worker died
    store.stored = 5
    store.pushed = 9  # others are busy: what they write is no reason to wait
    lost.look()
    lost.look()
    assert lost.count == 1
    _, _, (record,) = state.events.read(0, 0)
    assert (record.rid, record.in_tok, record.out_tok, record.status) == (7, 100, 20, 499)
    assert record.cost_nano == 100 * 1000 + 20 * 5000
    spent = Budgets(state.budgets, 0, state.arena.secret).state("key", "3", window_now())
    assert spent is not None and spent.day == record.cost_nano


def test_a_death_of_control_in_between_loses_nothing(state: SharedState) -> None:
    store = Store()
    opened(state, 7)
    state.arena.release_slot(WORKER, 99)
    store.pushed = 1
    looking(state, store).look()  # found, and then control is killed
    store.stored = 1
    looking(state, store).look()
    assert rids(state) == [7]


def test_a_store_that_fails_loses_and_doubles_nothing(state: SharedState) -> None:
    store = Store()
    lost = looking(state, store)
    opened(state, 7, 8)
    state.arena.release_slot(WORKER, 99)
    store.full = 1
    with pytest.raises(StoreFault):
        lost.look()
    assert rids(state) == []
    lost.look()
    lost.look()
    assert rids(state) == [7, 8]


def test_a_look_that_is_cut_short_loses_and_doubles_nothing(
    state: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    lost = looking(state, store)
    opened(state, 7, 8, 9)
    state.arena.release_slot(WORKER, 99)
    written = []

    def write(stream: LiveStream) -> None:
        if written:
            raise OSError("cut short")
        written.append(stream.rid)
        LostStreams._record(lost, stream)

    with monkeypatch.context() as patched:
        patched.setattr(lost, "_record", write)
        with pytest.raises(OSError, match="cut short"):
            lost.look()
    assert rids(state) == [7]
    store.pushed = 1
    lost.look()
    assert rids(state) == [7], "its own record is on its way"
    store.known.add(7)
    store.stored = 1
    lost.look()
    lost.look()
    assert rids(state) == [7, 8, 9]
