from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core import difficulty
from pihub._core.difficulty import BUCKETS, COUNTS, ROWS, Experts
from tests.model import difficulty as model

TEXT = st.binary(max_size=300) | st.text(
    alphabet="ab 01\n?$(){}A.)\"_é`", max_size=200
).map(str.encode)


@given(TEXT)
def test_words_and_pairs_are_as_the_model_hashes_them(text: bytes) -> None:
    found = {row: value for row, value in difficulty.features(text) if row < BUCKETS}
    wanted = model.hashed_features(text)
    assert found.keys() == wanted.keys()
    assert all(abs(found[row] - value) < 1e-6 for row, value in wanted.items())


@given(TEXT)
def test_rows_are_distinct_and_known(text: bytes) -> None:
    rows = [row for row, _ in difficulty.features(text)]
    assert len(rows) == len(set(rows))
    assert all(0 <= row < ROWS for row in rows)
    cues = {row for row in rows if row >= BUCKETS + len(COUNTS)}
    assert cues == model.cue_rows(text)


def test_the_counts() -> None:
    rows = dict(difficulty.features("Is 12 = x?\nA. yes\nB) ä```".encode()))
    counts = {name: rows.get(BUCKETS + n, 0.0) for n, name in enumerate(COUNTS)}
    assert counts["numbers"] == pytest.approx(0.5 * 1 / 5)
    assert counts["lines"] == pytest.approx(0.5 * 2**0.5 / 5)
    assert counts["choices"] == pytest.approx(0.5 * 2 / 5)
    assert counts["question marks"] == pytest.approx(0.5 * 1 / 2)
    assert counts["fenced code"] == 0.5
    assert counts["mathematical signs"] > 0
    assert counts["other scripts"] > 0


def test_only_the_beginning_is_read() -> None:
    text = b"word " * 2000
    assert difficulty.features(text) == difficulty.features(text[: difficulty.TEXT])


def weights(n: int, cells: dict[tuple[int, int], int], base: list[float]) -> bytes:
    rows = bytearray(ROWS * 2 * n)
    for (row, column), value in cells.items():
        rows[row * 2 * n + column] = value & 0xFF
    return struct.pack(f"<f{2 * n}f{2 * n}f", 50.0, *[0.5] * (2 * n), *base) + bytes(rows)


def test_the_gate_chooses_the_expert() -> None:
    [(row, start, end)] = difficulty.terms(b"proof")
    assert (start, end) == (0, 5)
    value = dict(difficulty.features(b"proof"))[row]
    data = weights(2, {(row, 1): 100 if value > 0 else -100}, [0.0, -10.0, -0.25, 0.75])
    experts = Experts(data, 2)
    assert experts.score(b"proof") == pytest.approx(0.75)
    assert experts.score(b"other") == pytest.approx(-0.25)
    score, shares, parts = experts.explain(b"proof")
    assert score == pytest.approx(0.75)
    assert shares == pytest.approx([0.0, 1.0])
    assert {part[0] for part in parts} == {row for row, _ in difficulty.features(b"proof")}


def test_what_a_feature_adds() -> None:
    [(row, _, _)] = difficulty.terms(b"proof")
    value = dict(difficulty.features(b"proof"))[row]
    experts = Experts(weights(1, {(row, 1): 4}, [0.0, 0.1]), 1)
    score, _, parts = experts.explain(b"proof")
    assert score == pytest.approx(0.1 + 4 * 0.5 * value)
    assert {r: adds for r, _, adds in parts}[row] == pytest.approx(2 * value)


def test_foreign_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes of weights"):
        Experts(b"", 2)
    with pytest.raises(ValueError, match="1 to 32"):
        Experts(b"", 33)
