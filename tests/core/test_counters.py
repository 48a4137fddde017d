from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.counters import Counters
from tests.model import counters as model

ROWS, COLUMNS = 3, 20
I64 = st.integers(-(1 << 63), (1 << 63) - 1)


def make(rows: int = ROWS, columns: int = COLUMNS) -> tuple[Arena, Counters]:
    arena = Arena.create([("c", Counters.size_for(rows, columns))], 2)
    return arena, Counters(arena, "c", rows, columns)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "set", "clear"]),
            st.integers(0, ROWS - 1),
            st.integers(0, COLUMNS - 1),
            I64,
        )
    )
)
def test_as_the_model(steps: list[tuple[str, int, int, int]]) -> None:
    _, real = make()
    twin = model.Counters(ROWS, COLUMNS)
    for what, row, column, n in steps:
        for one in (real, twin):
            if what == "add":
                one.add(row, column, n)
            elif what == "set":
                one.set(row, column, n)
            else:
                one.clear_row(row)
    for column in range(COLUMNS):
        assert real.total(column) == twin.total(column)
        for row in range(ROWS):
            assert real.get(row, column) == twin.get(row, column)


@pytest.mark.parametrize("columns", [1, 16, 17, 40])
def test_rows_do_not_share_128_bytes(columns: int) -> None:
    arena, counters = make(2, columns)
    offset, length = arena.region("c")
    counters.set(0, columns - 1, 0x1111)
    counters.set(1, 0, 0x2222)
    dump = arena.dump(offset, length)
    last_of_first = dump.index(b"\x11\x11") // 128
    first_of_second = dump.index(b"\x22\x22") // 128
    assert first_of_second > last_of_first
    assert offset % 128 == 0


@pytest.mark.parametrize(("row", "column"), [(ROWS, 0), (0, COLUMNS), (1 << 31, 0)])
def test_outside_is_an_error(row: int, column: int) -> None:
    _, counters = make()
    for call in (
        lambda: counters.add(row, column, 1),
        lambda: counters.set(row, column, 1),
        lambda: counters.get(row, column),
    ):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(IndexError):
        counters.total(COLUMNS)
    with pytest.raises(IndexError):
        counters.clear_row(ROWS)


def test_wrong_shape_is_refused() -> None:
    arena, _ = make()
    with pytest.raises(ValueError, match="shape"):
        Counters(arena, "c", ROWS - 1, COLUMNS)
    with pytest.raises(ValueError, match="at least"):
        Counters(arena, "c", 0, 1)


def test_a_second_opening_sees_the_same_cells() -> None:
    arena, counters = make()
    counters.add(1, 2, 5)
    assert Counters(arena, "c", ROWS, COLUMNS).get(1, 2) == 5


def test_read_only() -> None:
    arena, counters = make()
    counters.add(1, 2, 5)
    seen = Counters(Arena.attach(arena.fd, True), "c", ROWS, COLUMNS)
    assert seen.total(2) == 5
    for write in (
        lambda: seen.add(1, 2, 1),
        lambda: seen.set(1, 2, 1),
        lambda: seen.clear_row(1),
    ):
        with pytest.raises(PermissionError):
            write()
