from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.speeds import CELLS, Speeds


def make(rows: int = 4) -> Speeds:
    return Speeds(Arena.create([("speeds", Speeds.size_for(rows))], 1), "speeds", rows)


def test_a_key_has_one_row_and_a_full_table_gives_none() -> None:
    speeds = make()
    rows = [speeds.row(key) for key in (5, 9, 13, 17)]
    assert sorted(rows) == [0, 1, 2, 3]
    assert [speeds.row(key) for key in (5, 9, 13, 17)] == rows
    assert speeds.row(21) == -1


@given(st.lists(st.floats(0.125, 1e6, width=32), min_size=1, max_size=60))
def test_the_mean_moves_as_the_model_does(values: list[float]) -> None:
    speeds = make()
    mean = 0.0
    for n, value in enumerate(values):
        speeds.learn(2, 3, value)
        mean += (value - mean) / min(n + 1, 16)
    found, samples = speeds.read(2, 3)
    assert samples == len(values)
    assert found == pytest.approx(mean, rel=1e-3)
    assert speeds.read(2, 4) == (0.0, 0)


def test_what_is_no_number_teaches_nothing() -> None:
    speeds = make()
    speeds.learn(0, 0, float("inf"))
    speeds.learn(0, 0, float("nan"))
    assert speeds.read(0, 0) == (0.0, 0)
    speeds.put(0, 0, 2.5, 7)
    assert speeds.read(0, 0) == (2.5, 7)


def test_wrong_numbers_are_refused() -> None:
    speeds = make()
    for row, cell in ((4, 0), (-1, 0), (0, CELLS)):
        with pytest.raises(IndexError):
            speeds.learn(row, cell, 1.0)
    with pytest.raises(ValueError, match="no key"):
        speeds.row(0)
