"""The running percentile beside the sorted samples."""

from __future__ import annotations

import random

import pytest

from pihub.domain.quantile import LEAST, p95


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_it_comes_near_the_sorted_samples(spread: float) -> None:
    draw = random.Random(7)
    samples = [draw.lognormvariate(-1.0, spread) for _ in range(3000)]
    known, later = 0.0, []
    for count, value in enumerate(samples):
        known = p95(known, count, value)
        if count > 1000:
            later.append(known)
    exact = sorted(samples)[int(len(samples) * 0.95)]
    assert sum(later) / len(later) == pytest.approx(exact, rel=0.25)
    above = sum(value > at for value, at in zip(samples[1001:], later, strict=True))
    assert 0.015 < above / len(later) < 0.08, "about one in twenty"


def test_it_follows_a_machine_that_becomes_slower() -> None:
    known = 0.0
    for count in range(100):
        known = p95(known, count, 0.2)
    assert 0.19 < known < 0.25
    for count in range(100, 140):
        known = p95(known, count, 2.0)
    assert 1.9 < known < 2.3


def test_it_never_becomes_nothing() -> None:
    assert p95(0.0, 0, 0.0) == LEAST
    assert p95(LEAST, 50, 0.0) == LEAST
