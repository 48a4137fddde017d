from __future__ import annotations

import random

import pytest

from pihub._core.difficulty import ROWS
from pihub._core.ridge import Ridge
from tests.model import difficulty as model

WORDS = ["red", "green", "blue", "round", "square", "7", "sum", "?"]


def texts(count: int) -> list[bytes]:
    rng = random.Random(1)
    return [" ".join(rng.choices(WORDS, k=6)).encode() for _ in range(count)]


def test_no_other_weights_have_a_smaller_loss() -> None:
    ridge = Ridge()
    sample = texts(40)
    rows = [ridge.add(text) for text in sample]
    targets = [float(b"red" in text) - 0.5 * (b"sum" in text) for text in sample]
    alpha = 0.7
    weights, base = ridge.fit(rows, targets, alpha, 500)

    def loss(w: list[float], b: float) -> float:
        errors = [t - ridge.predict(i, w, b) for i, t in zip(rows, targets, strict=True)]
        return sum(e * e for e in errors) + alpha * sum(one * one for one in w)

    best = loss(weights, base)
    rng = random.Random(2)
    used = [row for row in range(ROWS) if weights[row]]
    for _ in range(50):
        other = list(weights)
        other[rng.choice(used)] += rng.choice((-1, 1)) * 1e-3
        assert loss(other, base) > best
    assert loss(weights, base + 1e-3) > best
    assert loss(weights, base - 1e-3) > best


def test_it_finds_what_matters() -> None:
    ridge = Ridge()
    sample = texts(400)
    rows = [ridge.add(text) for text in sample]
    weights, base = ridge.fit(rows[:300], [float(b"blue" in text) for text in sample[:300]], 0.1)
    right = sum(
        (ridge.predict(i, weights, base) > 0.5) == (b"blue" in sample[i]) for i in rows[300:]
    )
    assert right >= 95
    assert weights[model.hashed(b"blue") % 8192] != 0


def test_wrong_numbers_are_refused() -> None:
    ridge = Ridge()
    ridge.add(b"a")
    assert len(ridge) == 1
    with pytest.raises(ValueError, match="as many targets"):
        ridge.fit([0], [], 1.0)
    with pytest.raises(IndexError):
        ridge.fit([1], [1.0], 1.0)
    with pytest.raises(IndexError):
        ridge.predict(5, [0.0] * ROWS, 0.0)
    with pytest.raises(ValueError, match="weights"):
        ridge.predict(0, [0.0], 0.0)
