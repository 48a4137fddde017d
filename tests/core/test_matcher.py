"""The matcher against looking everywhere for everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.matcher import Literals, Matcher, classes
from tests.effort import examples
from tests.model import matcher as model

LETTERS = st.sampled_from([97, 65, 98, 66, 99, 0, 255, 90, 122, 64, 91])
TEXT = st.lists(LETTERS, max_size=60).map(bytes)
WORD = st.lists(LETTERS, min_size=1, max_size=6).map(bytes)


@examples(500)
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


@given(
    chunks=st.lists(TEXT, max_size=5), patterns=st.lists(WORD, min_size=1, max_size=5).map(tuple)
)
def test_chunks_are_one_text(chunks: list[bytes], patterns: tuple[bytes, ...]) -> None:
    matcher = Matcher(patterns)
    state, base, ends = 0, 0, []
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            found, used, state = matcher.feed(chunk[at:], state)
            at += used
            if found >= 0:
                ends.append(base + at)
        base += len(chunk)
    whole = model.all_matches(patterns, b"".join(chunks))
    assert ends == sorted({end for _, end in whole})
    with pytest.raises(ValueError, match="not of this matcher"):
        matcher.feed(b"", 1 << 20)


@pytest.mark.parametrize("engine", ["", "baseline", "scalar"])
@pytest.mark.parametrize("byte", range(256))
def test_each_byte_has_its_classes(byte: int, engine: str) -> None:
    one = bytes([byte])
    for size in (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97):
        for at in {0, size // 2, size - 1}:
            text = b"a" * at + one + b"a" * (size - at - 1)
            assert classes(text, engine) == model.classes(one), (size, at)


@pytest.mark.parametrize("engine", ["", "baseline", "scalar"])
@examples(300)
@given(data=st.binary(max_size=200))
def test_classes_of_any_text(data: bytes, engine: str) -> None:
    assert classes(data, engine) == model.classes(data)


def test_unknown_engine() -> None:
    with pytest.raises(ValueError, match="no engine"):
        classes(b"", "abacus")


LONG = st.lists(LETTERS, max_size=200).map(bytes)
LITERAL = st.lists(LETTERS, min_size=2, max_size=9).map(bytes)


ENGINES = ["", "narrow", "scalar"]


@pytest.mark.parametrize("engine", ENGINES)
@examples(400)
@given(
    patterns=st.lists(LITERAL, max_size=20).map(tuple),
    data=LONG,
    start=st.integers(0, 210),
)
def test_literals(patterns: tuple[bytes, ...], data: bytes, start: int, engine: str) -> None:
    found = Literals(patterns).first(data, start, engine)
    assert found == model.first_literal(patterns, data, start)


def test_no_such_engine() -> None:
    with pytest.raises(ValueError, match="narrow or scalar"):
        Literals((b"ab",)).first(b"ab", 0, "wide")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("literal", [b"ab", b"abc", b"Abcd", b"abcdefgh"])
def test_a_literal_at_every_place_of_every_length(literal: bytes, engine: str) -> None:
    literals = Literals((b"zzzz", literal))
    for size in (*range(len(literal), 100), *range(126, 136), 195):
        for at in range(size - len(literal) + 1):
            text = b"." * at + literal.swapcase() + b"." * (size - at - len(literal))
            assert literals.first(text, 0, engine) == (1, at), (size, at)


@pytest.mark.parametrize("first", range(256))
def test_every_pair_of_bytes_is_found(first: int) -> None:
    literals = Literals(tuple(bytes([first, second]) for second in range(256)))
    filler = b"\0" if first else b"\1"
    for second in range(0, 256, 5):
        found = literals.first(filler * 40 + bytes([first, second]))
        assert found == (second - 32 * (97 <= second <= 122), 40)  # the lowest that fits


def test_literals_refuse() -> None:
    with pytest.raises(ValueError, match="2 to 255"):
        Literals((b"a",))
    with pytest.raises(ValueError, match="2 to 255"):
        Literals((b"a" * 256,))
    with pytest.raises(ValueError, match="too many"):
        Literals((b"ab",) * 1025)
    assert Literals(()).first(b"anything at all, and longer than thirty-four bytes") is None
