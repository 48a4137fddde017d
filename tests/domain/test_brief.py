"""Durations in a byte: near enough, never out of their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.brief import brief, microseconds, wait

HOUR = 3_600_000_000


@given(st.integers(1, HOUR))
def test_a_duration_is_told_to_five_percent(us: int) -> None:
    assert abs(microseconds(brief(us)) - us) <= max(1.0, 0.05 * us)


@given(st.integers(0, 255))
def test_every_byte_is_its_own_duration_s(byte: int) -> None:
    assert byte < 9 * 8 or brief(microseconds(byte)) == byte
    assert microseconds(byte) < 1.05 * HOUR


def test_nothing_is_zero_and_more_than_an_hour_is_an_hour() -> None:
    assert brief(0) == brief(-5) == microseconds(0) == 0
    assert brief(10**15) == 255


def test_less_than_a_millisecond_is_no_wait() -> None:
    assert wait(999_999) == 0
    assert abs(microseconds(wait(2_000_000)) - 2000) < 100
