from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.streams import Streams
from tests.model import streams as model

SLOTS, ROWS = 3, 4
STALL = 10**9


def make() -> tuple[Arena, Streams]:
    arena = Arena.create([("s", Streams.size_for(SLOTS, ROWS))], 2)
    streams = Streams(arena, "s", SLOTS, ROWS)
    for slot in range(SLOTS):
        streams.begin(slot, 5 + slot)
    return arena, streams


def opened(streams: Streams, slot: int = 1, rid: int = 77, now: int = 10**9) -> int:
    return streams.open(slot, rid, now, 9, 3, 2, 1, 11, 12, 13, 40)


def test_a_row_says_what_happened() -> None:
    _, streams = make()
    handle = opened(streams)
    assert streams.tick(handle, 0, 10, 2 * 10**9, STALL) is False
    assert streams.tick(handle, 3, 20, 5 * 10**9, STALL) is False  # the first token: no stall
    assert streams.tick(handle, 2, 5, 5 * 10**9 + STALL, STALL) is False
    streams.tick(handle, 2, 5, 9 * 10**9, STALL)
    streams.tick(handle, 1, 1, 11 * 10**9, STALL)
    [row] = streams.rows()
    assert row == streams.read(handle)
    assert row[0] == handle
    assert row[2:4] == (6, 77)
    assert row[5:10] == (10**9, 5 * 10**9, 11 * 10**9, 41, 8)
    assert row[10:12] == (2, 3 * 10**6)
    assert row[12:] == (9, 3, 2, 1, 11, 12, 13, 40, False)
    streams.close(handle)
    streams.close(handle)
    assert streams.rows() == []
    assert streams.read(handle) is None


def test_cancel_ends_the_stream_that_was_meant_and_no_other() -> None:
    _, streams = make()
    handle = opened(streams)
    generation = streams.rows()[0][1]
    assert streams.cancel(handle, generation) is True
    assert streams.cancelled(handle)
    assert streams.rows()[0][20] is True
    assert streams.tick(handle, 1, 1, 2 * 10**9, STALL) is True
    streams.close(handle)
    assert streams.cancel(handle, generation) is False
    for _ in range(ROWS - 1):
        streams.close(opened(streams))
    again = opened(streams)
    assert again == handle
    assert not streams.cancelled(again)
    assert streams.cancel(again, generation) is False
    assert streams.tick(again, 1, 1, 2 * 10**9, STALL) is False


def test_a_full_slot_goes_on_untracked() -> None:
    _, streams = make()
    handles = {opened(streams, slot=2) for _ in range(ROWS)}
    assert len(handles) == ROWS
    assert opened(streams, slot=2) == -1
    assert opened(streams, slot=0) >= 0
    assert streams.untracked() == 1
    streams.close(min(handles))
    assert opened(streams, slot=2) == min(handles)


def test_orphans_are_taken_once_and_only_of_that_life() -> None:
    _, streams = make()
    dead = [opened(streams, rid=n) for n in (1, 2)]
    streams.tick(dead[0], 4, 9, 2 * 10**9, STALL)
    streams.begin(1, 99)
    alive = opened(streams, rid=3)
    taken = streams.orphans(1, 6)
    assert [row[3] for row in taken] == [1, 2]
    assert taken[0][8:10] == (9, 4)
    assert streams.orphans(1, 6) == []
    assert [row[0] for row in streams.rows()] == [alive]


def test_bad_arguments() -> None:
    arena, streams = make()
    for call in (
        lambda: streams.tick(SLOTS * ROWS, 1, 1, 1, 1),
        lambda: streams.read(SLOTS * ROWS),
        lambda: streams.begin(SLOTS, 1),
        lambda: opened(streams, slot=SLOTS),
        lambda: streams.orphans(SLOTS, 1),
    ):
        with pytest.raises(IndexError):
            call()
    for call in (
        lambda: streams.begin(0, 0),
        lambda: Streams.size_for(0, 1),
        lambda: Streams.size_for(1, 0),
    ):
        with pytest.raises(ValueError):
            call()
    handle = opened(streams)
    seen = Streams(Arena.attach(arena.fd, True), "s", SLOTS, ROWS)
    assert seen.rows()[0][0] == handle
    for write in (
        lambda: seen.tick(handle, 1, 1, 1, 1),
        lambda: seen.close(handle),
        lambda: seen.cancel(handle, 1),
        lambda: seen.orphans(0, 1),
        lambda: seen.begin(0, 1),
        lambda: opened(seen),
    ):
        with pytest.raises(PermissionError):
            write()


GAPS = (1, 10**6, STALL, STALL + 1, 5 * STALL)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "tick", "tick", "close", "cancel", "die"]),
        st.integers(0, 9),
        st.integers(0, 2),
        st.sampled_from(GAPS),
    ),
    max_size=50,
)


@given(STEPS)
def test_behaves_as_its_twin(steps: list[tuple[str, int, int, int]]) -> None:
    _, streams = make()
    twin = model.Streams(ROWS, {slot: 5 + slot for slot in range(SLOTS)})
    now = 10**9
    for number, (what, which, more, gap) in enumerate(steps):
        now += gap
        handles = sorted(twin.live)
        if what in ("open", "die"):
            which %= SLOTS
        if what == "open":
            full = twin.full(which)
            handle = streams.open(which, number, now, more, 2, 1, 0, 0, 0, 0, 0)
            assert (handle < 0) == full
            twin.open(handle, which, number, now, more, 2)
        elif what == "die":
            incarnation = twin.incarnations[which]
            gone = {row[0] for row in streams.orphans(which, incarnation)}
            assert gone == twin.orphans(which, incarnation)
            streams.begin(which, incarnation + 10)
            twin.begin(which, incarnation + 10)
        elif handles:
            handle = handles[which % len(handles)]
            if what == "tick":
                told = streams.tick(handle, more, 3, now, STALL)
                assert told == twin.tick(handle, more, 3, now, STALL)
            elif what == "close":
                streams.close(handle)
                twin.close(handle)
            else:
                row = streams.read(handle)
                assert row is not None
                # The number of a stream that was there before ends nothing.
                assert streams.cancel(handle, row[1] if more else row[1] + 2) is bool(more)
                twin.live[handle].cancelled |= bool(more)
        assert shown(streams) == {
            handle: (
                one.incarnation, one.rid, one.began, one.first, one.last, one.bytes, one.tokens,
                one.stalls, one.longest_us, one.key, one.tenant, one.cancelled,
            )
            for handle, one in twin.live.items()
        }  # fmt: skip
    assert streams.untracked() == twin.untracked
    assert [streams.held(key) for key in range(1, 4)] == [twin.held(key) for key in range(1, 4)]


def shown(streams: Streams) -> dict[int, tuple[Any, ...]]:
    return {row[0]: (*row[2:4], *row[5:14], row[20]) for row in streams.rows()}
