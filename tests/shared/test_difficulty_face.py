"""The shipped weights, and what a person gets to read of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.shared import difficulty

HARD = "Prove that for every prime p > 3 the number p^2 - 1 is divisible by 24. Show each step."
EASY = "Which colour is the sky?"


def test_the_shipped_weights_rank_hard_above_easy() -> None:
    model = difficulty.load()
    assert model.score(HARD) > model.score(EASY)
    assert 0 <= model.rank(EASY) < model.rank(HARD) <= 1
    assert "routellm_mmlu" in model.experts


def test_an_explanation_adds_up_and_names_words() -> None:
    found = difficulty.load().explain(HARD, most=1000)
    assert found.score == pytest.approx(difficulty.load().score(HARD))
    names = {cause.what for cause in found.causes}
    assert {"prime", "for every", "(the word prove)", "(length)"} <= names
    assert sum(share for _, share in found.experts) == pytest.approx(1, abs=1e-4)
    effects = [abs(cause.adds) for cause in found.causes]
    assert effects == sorted(effects, reverse=True)


def test_of_a_long_prompt_the_end_counts() -> None:
    filler = "one two three. " * 1000
    model = difficulty.load()
    assert model.score(filler + HARD) != model.score(filler + EASY)
    assert len(difficulty.encode("é" * 9000)) <= 4000


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b'{"version":2}\n')
    with pytest.raises(ValueError, match="version"):
        difficulty.load(path)
    line, _, rest = difficulty.SHIPPED.read_bytes().partition(b"\n")
    path.write_bytes(line + b"\n" + rest[:-1])
    with pytest.raises(ValueError, match="bytes of weights"):
        difficulty.load(path)
