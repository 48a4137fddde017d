"""Circuit breakers against a list of outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from tests.effort import examples
from tests.model import breaker as model


def make(rows: int = 2) -> Breaker:
    return Breaker(Arena.create([("b", Breaker.size_for(rows))], 1), "b", rows)


STEP = st.tuples(
    st.one_of(st.integers(0, 40), st.integers(0, 3_000)),
    st.sampled_from(["allow", "ok", "fail", "fail", "fail", "gone"]),
)


@examples(400)
@given(
    start=st.integers(0, 2**41),
    failures=st.integers(1, 4),
    window=st.integers(1, 2_000),
    opened=st.integers(1, 1_500),
    probe=st.integers(1, 500),
    steps=st.lists(STEP, max_size=80),
)
def test_is_its_twin(
    start: int, failures: int, window: int, opened: int, probe: int, steps: list[tuple[int, str]]
) -> None:
    real, twin = make(), model.Breaker(failures, window, opened, probe)
    real.configure(1, failures, window, opened, probe)
    now = start
    for gap, what in steps:
        now += gap
        assert real.state(1, now) == twin.state(now)
        if what == "allow":
            assert real.allow(1, now) == twin.allow(now)
        elif what == "gone":
            real.release(1, real.probe(1), now)
            twin.release(now)
        else:
            real.record(1, what == "ok", now)
            twin.record(what == "ok", now)
        assert real.counts(1, now) == twin.counts(now)
        assert real.retry_in_ms(1, now) == twin.retry_in_ms(now)
    assert real.state(0, now) == CLOSED


def test_a_life() -> None:
    breaker = make()
    breaker.configure(0, 3, 10_000, 1_000, 200)
    for _ in range(3):
        assert breaker.allow(0, 5_000)
        breaker.record(0, False, 5_000)
    assert breaker.state(0, 5_000) == OPEN
    assert not breaker.allow(0, 5_999)
    assert breaker.retry_in_ms(0, 5_400) == 600
    assert breaker.state(0, 6_000) == HALF_OPEN
    assert [breaker.allow(0, 6_000) for _ in range(3)] == [True, False, False]
    assert not breaker.allow(0, 6_199)
    assert breaker.allow(0, 6_200), "the lease of a prober that died runs out"
    breaker.record(0, True, 6_250)
    assert breaker.state(0, 6_250) == CLOSED
    assert breaker.counts(0, 6_250) == (0, 0), "the old failures are forgotten"


def test_an_unconfigured_row_never_opens() -> None:
    breaker = make()
    for now in range(1000):
        breaker.record(0, False, now)
    assert breaker.allow(0, 1000)
    assert breaker.counts(0, 1000) == (0, 0)


def test_a_long_silence_does_not_confuse_the_window() -> None:
    breaker = make()
    breaker.configure(0, 1_000, 160, 100, 100)
    for weeks in range(0, 60, 3):
        now = 7 * 86_400_000 * weeks
        breaker.record(0, False, now)
        breaker.record(0, True, now)
        assert breaker.counts(0, now) == (1, 1)


def test_a_late_clock_does_not_undo_the_window() -> None:
    breaker = make()
    breaker.configure(0, 1_000, 160, 100, 100)
    breaker.record(0, False, 1_160)
    breaker.record(0, False, 1_000)  # the same sixteenth of an earlier lap
    assert breaker.counts(0, 1_160) == (0, 2)


def test_force() -> None:
    breaker = make()
    breaker.configure(0, 3, 1_000, 500, 100)
    breaker.force(0, OPEN, 1_000)
    assert not breaker.allow(0, 1_499)
    assert breaker.allow(0, 1_500)
    breaker.force(0, HALF_OPEN, 2_000)
    assert breaker.allow(0, 2_000)
    assert not breaker.allow(0, 2_000)
    breaker.force(0, CLOSED, 2_000)
    assert breaker.allow(0, 2_000)
    with pytest.raises(ValueError, match="no such state"):
        breaker.force(0, 3, 0)


def test_bounds() -> None:
    breaker = make()
    with pytest.raises(IndexError):
        breaker.allow(2, 0)
    with pytest.raises(ValueError, match="at least 1 ms"):
        breaker.configure(0, 1, 1, 0, 1)
    with pytest.raises(ValueError, match="at least one row"):
        make(0)


def test_readonly_only_looks() -> None:
    arena = Arena.create([("b", Breaker.size_for(1))], 1)
    breaker = Breaker(arena, "b", 1)
    breaker.configure(0, 1, 1_000, 1_000, 1_000)
    breaker.record(0, False, 50)
    top = Breaker(Arena.attach(arena.fd, readonly=True), "b", 1)
    assert top.state(0, 50) == OPEN
    with pytest.raises(PermissionError):
        top.allow(0, 5_000)


def test_a_probe_whose_client_left_frees_its_lease() -> None:
    breaker = make()
    breaker.configure(0, 1, 10_000, 1_000, 60_000)
    breaker.record(0, False, 5_000)
    assert breaker.probe(0) == 0
    assert breaker.allow(0, 6_000)
    probe = breaker.probe(0)
    assert probe
    breaker.release(0, probe - 1, 6_001)  # another probe's: nothing happens
    breaker.release(0, 0, 6_001)
    assert not breaker.allow(0, 6_001)
    breaker.release(0, probe, 6_002)
    assert breaker.allow(0, 6_002)
    assert not breaker.allow(0, 6_003)
    breaker.release(0, probe, 6_004)  # the first probe again: the lease is the second's now
    assert not breaker.allow(0, 6_004)
    breaker.record(0, True, 6_005)
    assert breaker.state(0, 6_006) == CLOSED


def test_held_open_ends_by_the_clock_and_then_probes() -> None:
    breaker = make()
    breaker.configure(0, 1, 10_000, 1_000, 1_000)
    assert breaker.held(0, 5_000) is None
    breaker.hold(0, OPEN, 65_000)
    assert breaker.held(0, 5_000) == (OPEN, 60_000)
    assert not breaker.allow(0, 64_999)
    breaker.record(0, True, 64_999)  # an answer to a call from before changes nothing
    assert breaker.state(0, 64_999) == OPEN
    assert breaker.held(0, 65_000) is None
    assert breaker.allow(0, 65_000)
    assert not breaker.allow(0, 65_001), "one caller probes"
    breaker.record(0, True, 65_002)
    assert breaker.state(0, 65_003) == CLOSED


def test_held_closed_counts_failures_and_opens_only_afterwards() -> None:
    breaker = make()
    breaker.configure(0, 2, 10_000, 1_000, 1_000)
    breaker.record(0, False, 5_000)
    breaker.record(0, False, 5_000)
    assert breaker.state(0, 5_000) == OPEN
    breaker.hold(0, CLOSED, 9_000)
    assert breaker.held(0, 5_001) == (CLOSED, 3_999)
    for _ in range(20):
        breaker.record(0, False, 6_000)
    assert breaker.allow(0, 8_999)
    assert breaker.counts(0, 6_000) == (0, 20)
    breaker.record(0, False, 9_000)
    assert breaker.state(0, 9_000) == OPEN


def test_a_hold_is_ended_before_its_time() -> None:
    breaker = make()
    breaker.configure(0, 1, 10_000, 1_000, 1_000)
    breaker.hold(0, OPEN, 1_000_000)
    breaker.unhold(0, 5_000)
    assert breaker.held(0, 5_000) is None
    assert breaker.state(0, 5_000) == CLOSED
    breaker.hold(0, CLOSED, 1_000_000)
    breaker.unhold(0, 6_000)
    breaker.record(0, False, 6_000)
    assert breaker.state(0, 6_000) == OPEN
    breaker.unhold(0, 6_500)  # nothing is held: an open breaker stays open
    assert breaker.state(0, 6_500) == OPEN
    with pytest.raises(ValueError, match="not a state to hold"):
        breaker.hold(0, HALF_OPEN, 7_000)
