from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.ring import RECORD, Ring
from tests.model import ring as model

RINGS = 2


def make(capacity: int = 8) -> tuple[Arena, Ring]:
    arena = Arena.create([("r", Ring.size_for(RINGS, capacity))], 1)
    return arena, Ring(arena, "r", RINGS, capacity)


def record(n: int) -> bytes:
    return n.to_bytes(8, "little") * (RECORD // 8)


@given(
    st.sampled_from([2, 8, 16]),
    st.lists(
        st.one_of(
            st.tuples(st.just("alarm"), st.integers(0, RINGS - 1), st.integers(0, 40)),
            st.tuples(st.just("push"), st.integers(0, RINGS - 1), st.integers(1, 40)),
            st.tuples(st.just("read"), st.integers(0, RINGS - 1), st.integers(0, 20)),
        ),
        max_size=30,
    ),
)
def test_as_the_model(capacity: int, steps: list[tuple[str, int, int]]) -> None:
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    arena = Arena.create([("r", Ring.size_for(RINGS, capacity))], 1)
    real = Ring(arena, "r", RINGS, capacity, fd)
    twin = model.Ring(RINGS, capacity)
    cursors = [0] * RINGS
    number = 0
    for what, ring, n in steps:
        if what == "alarm":
            real.alarm(ring, n)
            twin.alarm(ring, n)
            continue
        if what == "push":
            for _ in range(n):
                number += 1
                real.push(ring, record(number))
                twin.push(ring, record(number))
            assert real.head(ring) == twin.head(ring)
            continue
        got = real.read(ring, cursors[ring], n)
        assert got == twin.read(ring, cursors[ring], n)
        new, lost, records = got
        assert new - cursors[ring] == lost + len(records)
        cursors[ring] = new
    os.eventfd_write(fd, 1)  # so that there is something to read
    assert os.eventfd_read(fd) - 1 == twin.rung
    os.close(fd)


def test_record_is_the_event() -> None:
    assert RECORD == 128


@pytest.mark.parametrize("capacity", [0, 1, 3, 1000, 1 << 25])
def test_capacity_is_a_power_of_two(capacity: int) -> None:
    with pytest.raises(ValueError, match=r"2\*\*n"):
        Ring.size_for(1, capacity)


@pytest.mark.parametrize("size", [0, RECORD - 1, RECORD + 1])
def test_only_whole_records(size: int) -> None:
    _, ring = make()
    with pytest.raises(ValueError, match="128"):
        ring.push(0, bytes(size))
    assert ring.head(0) == 0


def test_outside_is_an_error() -> None:
    _, ring = make()
    for call in (
        lambda: ring.push(RINGS, record(1)),
        lambda: ring.read(RINGS, 0, 1),
        lambda: ring.head(RINGS),
        lambda: ring.alarm(RINGS, 1),
    ):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(ValueError, match="beyond"):
        ring.read(0, 1, 1)


def test_read_only_reads() -> None:
    arena, ring = make()
    ring.push(1, record(7))
    seen = Ring(Arena.attach(arena.fd, True), "r", RINGS, 8)
    assert seen.capacity == 8
    assert seen.read(1, 0, 9) == (1, 0, [record(7)])
    with pytest.raises(PermissionError):
        seen.push(1, record(8))
    with pytest.raises(PermissionError):
        seen.alarm(1, 8)


def test_a_reader_that_has_no_descriptor_is_not_written_to() -> None:
    _, ring = make()
    ring.alarm(0, 1)
    ring.push(0, record(1))
    assert ring.head(0) == 1
    assert Ring.settle() is True
