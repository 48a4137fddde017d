from __future__ import annotations

import pytest

from pihub.shared.state import STREAMS, Plan, SharedState
from pihub.shared.streams import LiveStreams, StreamTracker


@pytest.fixture
def state() -> SharedState:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
    state.arena.claim_slot(1, 123)
    state.process_began(1)
    return state


def test_seen_cancelled_and_closed(state: SharedState) -> None:
    tracker = StreamTracker(state.streams, 1)
    seen = LiveStreams(state.streams, state.names, STREAMS)
    names = [state.names.intern(text) for text in ("qwen", "ollama", "small")]
    live = tracker.open(
        5, key=2, tenant=3, route=1, model=names[0], upstream=names[1], alias=names[2],
        input_tokens=9,
    )  # fmt: skip
    assert live.content(0, 10) is False
    [row] = seen.rows()
    assert row.first_token is None
    assert live.content(2, 30) is False
    row = seen.find(5)
    assert row is not None
    assert (row.model, row.upstream, row.alias) == ("qwen", "ollama", "small")
    assert (row.tokens, row.bytes, row.tenant, row.slot) == (2, 40, 3, 1)
    assert row.first_token is not None
    assert 0 <= row.first_token <= row.age
    assert seen.of_tenant(4).rows() == []
    assert seen.cancel(row)
    assert live.cancelled()
    assert live.content(1, 1) is True
    live.close()
    live.close()
    assert not live.cancelled()
    assert not seen.cancel(row)
    assert seen.rows() == []


def test_more_than_there_are_rows(state: SharedState) -> None:
    tracker = StreamTracker(state.streams, 1)
    many = [tracker.open(n) for n in range(STREAMS + 2)]
    seen = LiveStreams(state.streams, state.names, STREAMS)
    assert len(seen.rows()) == STREAMS
    assert seen.untracked() == 2
    assert many[-1].content(1, 1) is False
    for live in many:
        live.close()
    assert seen.rows() == []


def test_what_a_dead_worker_was_streaming_is_told_once(state: SharedState) -> None:
    live = StreamTracker(state.streams, 1).open(8)
    live.content(6, 60)
    seen = LiveStreams(state.streams, state.names, STREAMS)
    assert seen.lost(state.incarnations) == {}
    process = 1, state.incarnations()[1]
    state.process_died(*process)
    state.arena.release_slot(1, 123)
    for _ in range(2):  # the row stays until it is recorded
        [lost] = seen.lost(state.incarnations)[process]
        assert (lost.rid, lost.tokens, lost.bytes, lost.slot) == (8, 6, 60, 1)
    seen.free(*process)
    assert seen.lost(state.incarnations) == {}


def test_a_worker_that_begins_during_the_look_is_not_taken_for_dead(state: SharedState) -> None:
    seen = LiveStreams(state.streams, state.names, STREAMS)
    old = state.incarnations()[1]
    StreamTracker(state.streams, 1).open(8)
    state.arena.release_slot(1, 123)

    def and_then_one_begins() -> list[int]:
        held = state.incarnations()
        state.arena.claim_slot(1, 124)
        state.process_began(1)
        StreamTracker(state.streams, 1).open(9)
        return held

    found = seen.lost(and_then_one_begins)
    assert list(found) == [(1, old)] and [one.rid for one in found[1, old]] == [8]
