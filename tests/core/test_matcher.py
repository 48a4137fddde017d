"""The matcher against looking everywhere for everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pihub._core.matcher import Matcher
from tests.model import matcher as model

LETTERS = st.sampled_from([97, 65, 98, 66, 99, 0, 255, 90, 122, 64, 91])
TEXT = st.lists(LETTERS, max_size=60).map(bytes)
WORD = st.lists(LETTERS, min_size=1, max_size=6).map(bytes)


@settings(max_examples=500, deadline=None)
@given(patterns=st.lists(WORD, max_size=12).map(tuple), data=TEXT)
def test_finds_what_is_there(patterns: tuple[bytes, ...], data: bytes) -> None:
    matcher = Matcher(patterns)
    found = model.all_matches(patterns, data)
    assert matcher.all(data, limit=10_000) == found
    assert matcher.first(data) == (found[0][0] if found else -1)


@given(
    patterns=st.lists(WORD, min_size=1, max_size=5).map(tuple),
    data=TEXT,
    limit=st.integers(0, 5),
)
def test_stops_at_its_limit(patterns: tuple[bytes, ...], data: bytes, limit: int) -> None:
    assert Matcher(patterns).all(data, limit) == model.all_matches(patterns, data)[:limit]


@given(st.binary(max_size=40))
def test_control_bytes(data: bytes) -> None:
    assert Matcher(()).control(data) is model.control(data)


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_is_control_or_not(byte: int) -> None:
    assert Matcher(()).control(b"abc" + bytes([byte])) is model.control(bytes([byte]))


def test_folds_ascii_only() -> None:
    matcher = Matcher((b"Ignore Previous", "É".encode()))
    assert matcher.first(b"please IGNORE previous words") == 0
    assert matcher.first("é".encode()) == -1
    assert matcher.first("É".encode()) == 1


def test_every_byte_can_be_in_a_pattern() -> None:
    patterns = tuple(bytes([b, 255 - b]) for b in range(256))
    data = bytes(range(256)) + bytes(range(255, -1, -1))
    assert Matcher(patterns).all(data, 10_000) == model.all_matches(patterns, data)


def test_many_patterns() -> None:
    patterns = tuple(b"needle-%d-end" % n for n in range(2_000))
    matcher = Matcher(patterns)
    assert matcher.all(b"hay needle-1234-END hay needle-7-end") == [(1234, 19), (7, 36)]
    assert matcher.memory < 2_000_000


def test_refuses() -> None:
    with pytest.raises(ValueError, match="non-empty"):
        Matcher((b"a", b""))
    with pytest.raises(ValueError, match="non-empty"):
        Matcher(("text",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too many"):
        Matcher((b"x" * (1 << 24),))
