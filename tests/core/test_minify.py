"""JSON without whitespace between its tokens, against its twin and against json."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.wire import minify
from tests.model.minify import minify as twin

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def spread(text: str, seed: int) -> str:
    """Whitespace at random between the tokens of a compact text."""
    rng = random.Random(seed)
    out, inside, escaped = [], False, False
    for char in text:
        if not inside and char in '{}[],:"':
            out.append(rng.choice(["", " ", "\n\t", "  \r\n"]))
        out.append(char)
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        else:
            inside = char == '"'
            if char in "{}[],:":
                out.append(rng.choice(["", " ", "\n"]))
    return "".join(out)


@given(VALUES, st.integers(0, 99), st.booleans())
def test_every_spelling_of_a_value_becomes_one(value: Any, seed: int, plain: bool) -> None:
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=plain)
    raw = compact.encode("utf-8", "surrogatepass")
    assert minify(raw) == raw
    other = spread(compact, seed).encode("utf-8", "surrogatepass")
    assert minify(other) == raw == twin(other)
    pretty = json.dumps(value, indent=2, ensure_ascii=plain)
    assert minify(pretty.encode("utf-8", "surrogatepass")) == raw


PIECES = [b" ", b"\n", b'"', b"\\", b"{", b"]", b":", b",", b"1", b"true", b"\xff", b"x" * 17]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_bytes_are_handled_as_by_the_twin(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    assert minify(raw) == twin(raw)


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"1 2", b"[tr ue]", b"- 1", b'"', b'"a', b'"a\\', b'"a\\"', b'"' + b"x" * 40],
)
def test_what_could_change_its_meaning_is_left_alone(text: bytes) -> None:
    assert minify(text) == b""


def test_strings_of_every_length_around_the_vector_keep_their_spaces() -> None:
    for size in range(70):
        for inside in (b" ", b'\\"', b"\\\\", "ß".encode()):
            text = b'{"k" : "' + inside * size + b'" , "z": 1}'
            assert minify(text) == b'{"k":"' + inside * size + b'","z":1}'
