from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.names import Names
from tests.model import hashing
from tests.model import names as model

WORDS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "chat", "Chat", "é" * 59, "é" * 60, "é" * 61, "x" * 119, "x" * 120]
    ),
    st.text(max_size=130),
    st.text(alphabet="€𝄞", min_size=28, max_size=45),
)


def make(capacity: int = 8) -> tuple[Arena, Names]:
    arena = Arena.create([("n", Names.size_for(capacity))], 1)
    return arena, Names(arena, "n")


@given(st.lists(WORDS, max_size=30))
def test_as_the_model(words: list[str]) -> None:
    _, real = make()
    twin = model.Names(8)
    for word in words:
        assert real.intern(word) == twin.intern(word)
        assert len(real) == len(twin.names)
    for index in range(12):
        assert real.lookup(index) == twin.lookup(index)


def test_full_is_zero_and_old_names_stay() -> None:
    _, names = make(3)
    assert [names.intern(w) for w in "abcdea"] == [1, 2, 3, 0, 0, 1]
    assert len(names) == names.capacity == 3


def test_lone_surrogates_do_not_raise() -> None:
    _, names = make()
    assert names.lookup(names.intern("a\ud800b")) == "a?b"


def test_a_claimed_row_is_completed_by_the_next() -> None:
    """As a process leaves it that was killed between its claim and its text."""
    arena, names = make()
    names.intern("before")
    first, _ = hashing.siphash128(arena.secret[16:], b"victim")
    word = (first << 2) % 2**64 | 1
    os.pwrite(arena.fd, word.to_bytes(8, "little"), arena.region("n")[0] + 128 + 128)
    assert names.lookup(2) == ""
    assert names.intern("other") == 3
    assert names.intern("victim") == 2
    assert names.lookup(2) == "victim"
    assert len(names) == 3


def test_shared_by_attach() -> None:
    arena, names = make()
    index = names.intern("qwen3:4b")
    seen = Names(Arena.attach(arena.fd, True), "n")
    assert seen.lookup(index) == "qwen3:4b"
    with pytest.raises(PermissionError):
        seen.intern("other")
    again = Names(Arena.attach(arena.fd), "n")
    assert again.intern("qwen3:4b") == index


def test_too_small_region() -> None:
    arena = Arena.create([("n", 200)], 1)
    with pytest.raises(ValueError, match="too small"):
        Names(arena, "n")


@pytest.mark.parametrize("capacity", [0, 65536])
def test_numbers_fit_16_bits(capacity: int) -> None:
    with pytest.raises(ValueError, match="65535"):
        Names.size_for(capacity)
