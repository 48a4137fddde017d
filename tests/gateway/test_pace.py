"""Tokens are gathered only under load, never longer than the gap, and never the first."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pihub.gateway import pace
from pihub.gateway.pace import SHORTEST, Pace


class Clock:
    """The time, and a waiter whose sleep lets it pass."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        patch.setattr(pace, "monotonic", lambda: self.now)

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        assert client_fd == 7, "the client's leaving ends the sleep"
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def paced(clock: Clock, streams: int, gap: float = 0.04) -> Pace:
    return Pace(clock, lambda: streams, gap=gap, busy_from=16)  # type: ignore[arg-type]


def test_while_there_is_time_nothing_waits(clock: Clock) -> None:
    wait = paced(clock, 15).begin(7)
    assert wait is not None
    for _ in range(100):
        clock.now += 0.001
        wait()
    assert not clock.slept


def test_under_load_each_read_is_a_gap_behind_the_last(clock: Clock) -> None:
    wait = paced(clock, 16).begin(7)
    assert wait is not None
    reads = []
    for _ in range(10):
        clock.now += 0.003  # what parsing and sending took
        wait()
        reads.append(clock.now)
    gaps = [b - a for a, b in pairwise(reads)]
    assert gaps == pytest.approx([0.04] * 9)
    assert max(clock.slept) <= 0.04


def test_an_upstream_that_is_slower_than_the_gap_is_never_waited_for(clock: Clock) -> None:
    wait = paced(clock, 500).begin(7)
    assert wait is not None
    for _ in range(20):
        clock.now += 0.04 - SHORTEST / 2
        wait()
    assert not clock.slept


def test_a_gap_of_zero_switches_it_off(clock: Clock) -> None:
    assert paced(clock, 500, gap=0.0).begin(7) is None
