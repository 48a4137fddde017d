"""GCRA rows against a leaky bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.limiter import Limiter
from tests.effort import examples
from tests.model import limiter as model


def make(rows: int = 3) -> Limiter:
    return Limiter(Arena.create([("l", Limiter.size_for(rows))], 1), "l", rows)


STEP = st.tuples(
    st.integers(0, 3_000), st.sampled_from(["hit", "hit", "remaining"]), st.integers(1, 6)
)


@examples(300)
@given(
    start=st.integers(0, 2**50),
    interval=st.integers(0, 1000),
    burst=st.integers(1, 5),
    steps=st.lists(STEP, max_size=60),
)
def test_is_a_leaky_bucket(
    start: int, interval: int, burst: int, steps: list[tuple[int, str, int]]
) -> None:
    real, twin = make(), model.Limiter()
    real.configure(1, interval, burst)
    twin.interval, twin.burst, twin.at = interval, burst, start
    now = start
    for gap, what, cost in steps:
        now += gap
        if what == "hit":
            assert real.hit(1, now, cost) == twin.hit(now, cost)
        else:
            assert real.remaining(1, now) == twin.remaining(now)
    assert real.remaining(0, now) == real.remaining(2, now) == -1


def test_burst_then_one_an_interval() -> None:
    limiter = make()
    limiter.configure(0, 1_000, 10)
    assert [limiter.hit(0, 5_000) for _ in range(11)] == [0] * 10 + [1_000]
    assert limiter.hit(0, 5_999) == 1
    assert limiter.hit(0, 6_000) == 0
    assert limiter.hit(0, 6_000) == 1_000


def test_unlimited_until_configured_and_after_zero() -> None:
    limiter = make()
    assert all(limiter.hit(0, 0) == 0 for _ in range(1000))
    limiter.configure(0, 10**9, 1)
    assert limiter.hit(0, 0) == 0
    assert limiter.hit(0, 0) == 10**9
    limiter.configure(0, 0, 0)
    assert limiter.hit(0, 0) == 0


def test_a_cost_above_the_burst_never_passes() -> None:
    limiter = make()
    limiter.configure(0, 1_000, 10)
    assert limiter.hit(0, 0, 11) == 2**63 - 1
    assert limiter.hit(0, 0, 10) == 0


@given(first=st.integers(1, 50), delta=st.integers(-50, 50))
def test_a_correction_is_as_if_the_cost_had_been_another(first: int, delta: int) -> None:
    right, corrected = make(), make()
    for limiter in (right, corrected):
        limiter.configure(0, 1_000, 100)
    cost = max(0, first + delta)
    assert right.hit(0, 10**6, cost) == corrected.hit(0, 10**6, first) == 0
    corrected.correct(0, cost - first)
    for later in (10**6, 10**6 + 7_777, 10**6 + 200_000):
        assert right.remaining(0, later) == corrected.remaining(0, later)


def test_extreme_corrections_saturate() -> None:
    limiter = make()
    limiter.configure(0, 2**31, 5)
    limiter.correct(0, -(2**62))
    assert limiter.remaining(0, 0) == 5
    for _ in range(5):
        limiter.correct(0, 2**62)
    assert limiter.remaining(0, 10**9) == 0
    assert 0 < limiter.hit(0, 10**9) < 2**63


def test_bounds() -> None:
    limiter = make(2)
    with pytest.raises(IndexError):
        limiter.hit(2, 0)
    with pytest.raises(IndexError):
        limiter.remaining(2, 0)
    with pytest.raises(ValueError, match="bad limit"):
        limiter.configure(0, 2**40, 2**40)
    with pytest.raises(ValueError, match="bad limit"):
        limiter.configure(0, 1, 0)
    with pytest.raises(ValueError, match="at least one row"):
        make(0)


def test_another_process_view_shares_and_readonly_only_looks() -> None:
    arena = Arena.create([("l", Limiter.size_for(1))], 1)
    limiter = Limiter(arena, "l", 1)
    limiter.configure(0, 100, 2)
    assert Limiter(Arena.attach(arena.fd), "l", 1).hit(0, 0) == 0
    assert limiter.remaining(0, 0) == 1
    top = Limiter(Arena.attach(arena.fd, readonly=True), "l", 1)
    assert top.remaining(0, 0) == 1
    with pytest.raises(PermissionError):
        top.hit(0, 0)
