"""A killed worker's streams are recorded once, and count in the budgets."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pihub.domain.budget import Plan as SpendingPlan
from pihub.ops.budgets import window_now
from pihub.ops.lost_streams import LostStreams
from pihub.settings.prices import builtin_prices
from pihub.shared.budgets import Budgets
from pihub.shared.spending import publish
from pihub.shared.state import STREAMS, Plan, SharedState
from pihub.shared.streams import LiveStreams, StreamTracker

WORKER = 1


class Store:
    def __init__(self) -> None:
        self.known: set[int] = set()

    def has_recent(self, rid: int) -> bool:
        return rid in self.known


@pytest.fixture
def state() -> Iterator[SharedState]:
    made = SharedState.create(Plan(1, 1 << 22))
    for slot, pid in ((0, os.getpid()), (WORKER, 99)):
        made.arena.claim_slot(slot, pid)
        made.process_began(slot)
    yield made
    for fd in made.eventfds:
        os.close(fd)


def test_recorded_by_what_was_received_and_only_once(state: SharedState) -> None:
    store, behind = Store(), [5]
    lost = LostStreams(
        state,
        0,
        LiveStreams(state.streams, state.names, STREAMS),
        store,
        builtin_prices(),
        {"claude": "anthropic"},
        lambda: behind[0],
        window_now,
    )
    publish(state.spending, SpendingPlan({"key:3": "refuse"}))
    tracker = StreamTracker(state.streams, WORKER)
    names = state.names.intern
    for rid in (7, 8):
        stream = tracker.open(
            rid, key=3, tenant=1, route=1, model=names("claude-haiku-4-5"),
            upstream=names("claude"), alias=names("assistant"), input_tokens=100,
        )  # fmt: skip
        stream.content(20, 80)
    lost.look()
    assert lost.count == 0, "its worker lives"
    state.arena.release_slot(WORKER, 99)
    lost.look()
    assert lost.count == 0, "records of the dead worker may still be on their way"
    store.known.add(8)  # this one's record was written before the worker died
    behind[0] = 0
    lost.look()
    lost.look()
    assert lost.count == 1
    _, _, (record,) = state.events.read(0, 0)
    assert (record.rid, record.in_tok, record.out_tok, record.status) == (7, 100, 20, 499)
    assert record.cost_nano == 100 * 1000 + 20 * 5000
    spent = Budgets(state.budgets, 0, state.arena.secret).state("key", "3", window_now())
    assert spent is not None and spent.day == record.cost_nano
