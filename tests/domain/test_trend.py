"""Estimators of trends: right on clean data, not misled by wild samples, honest in doubt."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.trend import ESTIMATORS, LEAST, Baseline, Holt, TheilSen

GB = 1e9


def fed(estimate: TheilSen | Holt, values: list[float], step: float) -> None:
    for number, value in enumerate(values):
        estimate.add(1000.0 + number * step, value)


def test_a_disk_that_fills_steadily_is_full_when_it_is() -> None:
    sen = TheilSen()
    fed(sen, [100 * GB - n * 0.01 * GB for n in range(300)], 60)
    trend = sen.trend()
    assert trend is not None and not trend.steady
    assert trend.slope == pytest.approx(-0.01 * GB / 60, rel=1e-6)
    left = 100 * GB - 299 * 0.01 * GB
    assert trend.reaches(left - 10 * 0.01 * GB, falling=True) == pytest.approx(600, rel=1e-3)


def test_a_quarter_of_wild_samples_does_not_move_it() -> None:
    dice, sen = random.Random(3), TheilSen()
    values = [50.0 + 0.1 * n + dice.gauss(0, 0.2) for n in range(200)]
    for n in dice.sample(range(200), 50):
        values[n] += dice.choice((-400, 900))
    fed(sen, values, 60)
    trend = sen.trend()
    assert trend is not None
    assert trend.slope == pytest.approx(0.1 / 60, rel=0.15)
    assert trend.level == pytest.approx(70, abs=2)


def test_noise_without_a_trend_is_steady_nine_times_of_ten() -> None:
    steady = 0
    for seed in range(100):
        dice, sen = random.Random(seed), TheilSen()
        fed(sen, [20 + dice.gauss(0, 1) for _ in range(48)], 60)
        trend = sen.trend()
        assert trend is not None
        steady += trend.steady
    assert 82 <= steady <= 98


def test_the_window_widens_and_memory_does_not() -> None:
    sen = TheilSen(gap=60, widest=3600)
    fed(sen, [float(n) for n in range(20_000)], 60)
    trend = sen.trend()
    assert len(sen._kept) <= TheilSen.SIZE
    assert trend is not None
    assert trend.span > 20 * 3600, "it has grown to a day and more"
    assert trend.slope == pytest.approx(1 / 60)


def test_nothing_is_said_of_what_is_far_or_away() -> None:
    sen = TheilSen()
    fed(sen, [n * 1.0 for n in range(20)], 60)
    trend = sen.trend()
    assert trend is not None
    assert trend.reaches(1e9, falling=False) is None, "beyond what was seen for"
    assert trend.reaches(-5, falling=True) is None, "it goes the other way"
    assert trend.reaches(10, falling=False) == 0, "it is there"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_keeps_the_interface(name: str) -> None:
    estimate = ESTIMATORS[name]()
    for n in range(LEAST - 1):
        estimate.add(n * 60.0, float(n))
        assert estimate.trend() is None
    for n in range(LEAST, 200):
        estimate.add(n * 60.0, float(n))
    trend = estimate.trend()
    assert trend is not None and trend.low <= trend.slope <= trend.high
    estimate.reset()
    assert estimate.trend() is None


def test_holt_follows_a_rising_temperature_and_shrugs_at_one_reading() -> None:
    dice, holt = random.Random(1), Holt()
    values = [50 + dice.gauss(0, 0.3) for _ in range(200)]
    fed(holt, values, 5)
    calm = holt.trend()
    assert calm is not None and calm.steady
    holt.add(1000 + 200 * 5, 120.0)
    after = holt.trend()
    assert after is not None
    assert abs(after.level - calm.level) < 1.0, "one reading of 120 degrees is none"
    for n in range(60):
        holt.add(1000 + (201 + n) * 5, 50 + 0.25 * n + dice.gauss(0, 0.3))
    hot = holt.trend()
    assert hot is not None and not hot.steady
    wait = hot.reaches(82, falling=False)
    assert wait is not None and wait < 1200


def test_a_bad_hour_does_not_become_the_usual() -> None:
    dice, pace = random.Random(5), Baseline()
    for _ in range(1000):
        pace.add(20 + dice.gauss(0, 1))
    for _ in range(50):
        pace.add(5.0)
    assert pace.usual == pytest.approx(20, abs=1.0)
    assert pace.now == pytest.approx(5, abs=0.5)
    assert pace.ratio == pytest.approx(0.25, abs=0.05)


def test_a_young_baseline_says_nothing() -> None:
    pace = Baseline()
    for _ in range(Baseline.KNOWN - 1):
        pace.add(7.0)
    assert pace.ratio is None
    pace.add(7.0)
    assert pace.ratio == pytest.approx(1.0)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=120))
def test_no_value_breaks_an_estimator(values: list[float]) -> None:
    for make in ESTIMATORS.values():
        estimate = make()
        for n, value in enumerate(values):
            estimate.add(n * 60.0, value)
        trend = estimate.trend()
        assert trend is None or trend.low <= trend.high
