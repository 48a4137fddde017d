"""Records of many rings as one sequence, against sorting all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.ring import Ring
from pihub.insight.merging import Merge, Settled, ends
from pihub.shared.events import Record

RINGS = 3
CAPACITY = 64
HOLD = 5
"""us; a push comes at most so much later than the end that its record tells."""


def rings() -> Ring:
    arena = Arena.create([("r", Ring.size_for(RINGS, CAPACITY))], RINGS)
    return Ring(arena, "r", RINGS, CAPACITY)


def record(rid: int, end_us: int, took: int = 0) -> bytes:
    return Record(ts_ns=(end_us - took) * 1000, rid=rid, dur_us=took).pack()


def settled(now_us: int) -> Settled:
    return Settled((now_us - HOLD) * 1000, (now_us + HOLD) * 1000)


def end_of(raw: bytes) -> int:
    found = Record.unpack(raw)
    return found.ts_ns // 1000 + found.dur_us


@given(
    st.lists(
        st.one_of(
            # ring, time that passes before, duration, time between the end and the push
            st.tuples(
                st.integers(0, RINGS - 1), st.integers(0, 4), st.integers(0, 90), st.integers(0, 4)
            ),
            st.integers(1, 20),  # a drain of batches of so many
        ),
        max_size=80,
    )
)
def test_all_that_is_stored_is_in_the_order_of_the_ends(
    steps: list[tuple[int, int, int, int] | int],
) -> None:
    ring = rings()
    merge = Merge(ring, RINGS)
    cursors = dict.fromkeys(range(RINGS), 0)
    now = 1000
    last = [0] * RINGS
    stored: list[bytes] = []
    pushed: list[bytes] = []

    def drain(limit: int, at: Settled | None) -> None:
        nonlocal cursors
        while True:
            batch = merge.batch(cursors, limit, at)
            assert batch.lost == 0
            assert len(batch.records) <= max(limit, RINGS)
            if batch.cursors == cursors:
                assert not batch.records
                return
            cursors = batch.cursors
            stored.extend(batch.records)

    for step in steps:
        if isinstance(step, int):
            drain(step, settled(now))
            late = [raw for raw in pushed if end_of(raw) <= now - HOLD]
            assert len(stored) >= len(late)
            continue
        which, passed, took, late_by = step
        if sum(ring.head(r) - cursors[r] for r in range(RINGS)) >= CAPACITY // 2 - 1:
            continue  # it would be half full, and then order is given up
        now += passed
        end = last[which] = max(last[which], now - late_by)
        raw = record(len(pushed), end, took)
        ring.push(which, raw)
        pushed.append(raw)
    drain(7, None)
    assert sorted(stored) == sorted(pushed)
    assert [end_of(raw) for raw in stored] == sorted(end_of(raw) for raw in pushed)


def test_what_ended_just_now_stays_in_its_ring() -> None:
    ring = rings()
    merge = Merge(ring, RINGS)
    ring.push(0, record(1, 90))
    ring.push(0, record(2, 99))
    first = merge.batch({0: 0, 1: 0}, 100, settled(100))
    assert [Record.unpack(raw).rid for raw in first.records] == [1]
    assert first.cursors == {0: 1, 1: 0}
    ring.push(1, record(3, 98))
    second = merge.batch(first.cursors, 100, settled(110))
    assert [Record.unpack(raw).rid for raw in second.records] == [3, 2]
    assert second.cursors == {0: 2, 1: 1}


def test_a_ring_that_is_half_full_waits_for_nobody() -> None:
    ring = rings()
    merge = Merge(ring, RINGS)
    for rid in range(CAPACITY // 2):
        ring.push(0, record(rid, 100))
    batch = merge.batch({0: 0, 1: 0}, 100, settled(100))
    assert len(batch.records) == CAPACITY // 2


def test_a_clock_that_was_set_back_holds_nothing_back() -> None:
    ring = rings()
    merge = Merge(ring, RINGS)
    ring.push(0, record(1, 10))
    ring.push(0, record(2, 3_600_000_000))
    ring.push(0, record(3, 20))
    ring.push(1, b"\xff" * 128)
    batch = merge.batch({0: 0, 1: 0}, 100, settled(100))
    assert [Record.unpack(raw).rid for raw in batch.records[-3:]] == [1, 2, 3]
    assert batch.cursors == {0: 3, 1: 1}


def test_overwritten_records_are_counted() -> None:
    ring = rings()
    merge = Merge(ring, RINGS)
    for rid in range(CAPACITY + 10):
        ring.push(2, record(rid, 2 * rid))
    ring.push(0, record(999, 81))
    cursors, lost, seen = {0: 0, 1: 0, 2: 0}, 0, []
    while True:
        batch = merge.batch(cursors, 10, None)
        if batch.cursors == cursors:
            break
        cursors, lost = batch.cursors, lost + batch.lost
        seen += [Record.unpack(raw).rid for raw in batch.records]
    assert lost == 11
    assert seen == [*range(11, 41), 999, *range(41, CAPACITY + 10)]


def test_a_ring_of_another_arena_is_let_alone() -> None:
    merge = Merge(rings(), RINGS)
    assert merge.batch({0: 0, 9: 4}, 10, None) == ({0: 0, 9: 4}, 0, [])


def test_ends_never_go_back() -> None:
    raw = [record(1, 50, 30), record(2, 40), record(3, 60), record(4, 70)]
    assert ends(raw, None) == [50_000, 50_000, 60_000, 70_000]
    assert ends(raw, 60_000) == [50_000, 50_000, 60_000, 60_000]
