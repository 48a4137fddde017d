from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.histogram import Histogram
from tests.model import histogram as model

ROWS, SERIES = 3, 2
U64 = st.one_of(st.integers(0, 200), st.integers(0, 10**9), st.integers(0, (1 << 64) - 1))


def make() -> tuple[Arena, Histogram]:
    arena = Arena.create([("h", Histogram.size_for(ROWS, SERIES))], 2)
    return arena, Histogram(arena, "h", ROWS, SERIES)


def close(real: float, exact: float) -> bool:
    """Within 1.6 % (half a bucket), exact up to 63."""
    return real == exact if exact < 64 else abs(real - exact) <= exact / 64


@given(
    st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, SERIES - 1), U64), max_size=60),
    st.lists(st.floats(0, 1), max_size=5),
    st.lists(U64, max_size=5),
)
def test_as_the_model(
    values: list[tuple[int, int, int]], qs: list[float], bounds: list[int]
) -> None:
    _, real = make()
    twin = model.Histogram(SERIES)
    for row, series, value in values:
        real.record(row, series, value)
        twin.record(series, value)
    for series in range(SERIES):
        assert real.count(series) == twin.count(series)
        assert real.sum(series) == twin.sum(series)
        for q, got in zip(qs, real.quantiles(series, tuple(qs)), strict=True):
            assert close(got, twin.quantile(series, q)), (q, got)
        for bound, got in zip(bounds, real.cumulative(series, tuple(bounds)), strict=True):
            assert twin.cumulative(series, bound - bound // 32 - 1) <= got
            assert got <= twin.cumulative(series, bound)


@given(U64)
def test_one_value_lies_in_its_bucket(value: int) -> None:
    _, real = make()
    real.record(1, 0, value)
    [(low, high, count)] = real.buckets(0)
    assert count == 1
    assert low <= value <= high
    assert high - low <= low / 32
    assert real.buckets(1) == []


def test_buckets_are_gapless() -> None:
    """Each bucket starts right after the one before it, over all of u64."""
    _, real = make()
    for exponent in range(64):
        for step in range(33):
            edge = min((1 << exponent) + (step << exponent) // 32, (1 << 64) - 1)
            real.record(0, 0, edge)
            real.record(0, 0, max(edge - 1, 0))
    rows = real.buckets(0)
    assert rows[0][0] == 0
    assert rows[-1][1] == (1 << 64) - 1
    assert len(rows) == 1920
    for (_, high, _), (low, _, _) in itertools.pairwise(rows):
        assert low == high + 1


def test_error_on_a_lognormal_load() -> None:
    _, real = make()
    rng = random.Random(7)
    values = [int(rng.lognormvariate(10, 1.5)) for _ in range(20_000)]
    for i, value in enumerate(values):
        real.record(i % ROWS, 0, value)
    values.sort()
    for q, got in zip(
        (0.5, 0.9, 0.99, 0.999), real.quantiles(0, (0.5, 0.9, 0.99, 0.999)), strict=True
    ):
        exact = values[math.ceil(q * len(values)) - 1]
        assert abs(got - exact) <= 0.016 * exact


def test_empty() -> None:
    _, real = make()
    assert real.quantiles(0, (0.0, 0.5, 1.0)) == (0.0, 0.0, 0.0)
    assert real.cumulative(0, (0, 100)) == (0, 0)
    assert (real.count(0), real.sum(0), real.buckets(0)) == (0, 0, [])


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_is_a_share(q: float) -> None:
    _, real = make()
    with pytest.raises(ValueError, match="quantile"):
        real.quantiles(0, (q,))


def test_outside_is_an_error() -> None:
    arena, real = make()
    with pytest.raises(ValueError, match="at least"):
        Histogram(arena, "h", ROWS, 0)
    for call in (
        lambda: real.record(ROWS, 0, 1),
        lambda: real.record(0, SERIES, 1),
        lambda: real.count(SERIES),
        lambda: real.sum(SERIES),
        lambda: real.quantiles(SERIES, (0.5,)),
    ):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(OverflowError):
        real.record(0, 0, -1)
    real.record(0, 0, 5)
    seen = Histogram(Arena.attach(arena.fd, True), "h", ROWS, SERIES)
    assert seen.count(0) == 1
    with pytest.raises(PermissionError):
        seen.record(0, 0, 1)
