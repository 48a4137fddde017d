"""The form of a key."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.security.token import HINT_CHARS, hint, new_token, well_formed

ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_new_key_has_the_form_and_is_new() -> None:
    tokens = {new_token() for _ in range(500)}
    assert len(tokens) == 500
    for token in tokens:
        assert token.startswith("ph_")
        assert len(token) == 3 + 43 + 6
        assert set(token) <= set(ALPHABET)
        assert well_formed(token)


@given(st.integers(3, 51), st.sampled_from(ALPHABET))
def test_any_single_typo_is_seen(position: int, letter: str) -> None:
    token = new_token()
    typo = token[:position] + letter + token[position + 1 :]
    assert well_formed(typo) == (typo == token)


@pytest.mark.parametrize("text", ["", "ph_", "ph_" + "a" * 49, "sk-123", "ph_" + "ä" * 49])
def test_other_texts_are_no_keys(text: str) -> None:
    assert not well_formed(text)


def test_the_hint_tells_next_to_nothing() -> None:
    token = new_token()
    assert hint(token) == token[:HINT_CHARS] + "…"
    assert HINT_CHARS - 3 <= 4
