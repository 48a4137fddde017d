"""Electricity in nano-USD."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.energy import Energy


def test_a_kilowatt_hour_costs_the_tariff() -> None:
    assert Energy(watts=1000, usd_per_kwh=0.25).nano(3600) == 250_000_000


def test_not_counted_unless_both_are_known() -> None:
    assert Energy(watts=7).nano(100) == 0
    assert Energy(usd_per_kwh=0.3).nano(100) == 0
    assert Energy(watts=7, usd_per_kwh=0.3).nano(-1) == 0


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 10**6))
def test_rounded_up_and_within_a_nano(watts: int, cents: int, ms: int) -> None:
    nano = Energy(watts=watts, usd_per_kwh=cents / 100).nano(ms / 1000)
    exact = Fraction(watts * ms * cents * 10**9, 1000 * 3_600_000 * 100)
    assert nano > 0
    assert -1e-3 <= nano - float(exact) <= 1.001
