"""Members of JSON objects: the spans hold the values, whatever the bytes are."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pihub._core.jsonscan import measure, members
from tests.model import jsonscan as model

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
        st.sampled_from(['"', "\\", '\\"', "{", "}", "[", "]", ",", ":", "\\\\", '"}', "\u2028"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=6)
SPACE = st.text(" \t\r\n", max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[tuple[str, str]], bytes]:
    """([(key, value) as they stand in the text], the text): odd white space, keys twice."""
    pairs = []
    for key, value in draw(st.lists(st.tuples(TEXT, VALUES), max_size=6)):
        ascii, gap = draw(st.booleans()), draw(st.sampled_from([None, 1, "\t"]))
        pairs.append(
            (json.dumps(key, ensure_ascii=ascii)[1:-1],
             json.dumps(value, ensure_ascii=ascii, indent=gap))
        )  # fmt: skip
    parts = [
        draw(SPACE) + f'"{key}"' + draw(SPACE) + ":" + draw(SPACE) + value + draw(SPACE)
        for key, value in pairs
    ]
    text = draw(SPACE) + "{" + (",".join(parts) or draw(SPACE)) + "}" + draw(SPACE)
    return pairs, text.encode()


@given(documents())
def test_spans_are_the_values(document: tuple[list[tuple[str, str]], bytes]) -> None:
    pairs, data = document
    found = members(data)
    assert found is not None
    assert [(key, data[a:b].decode()) for key, a, b in found] == pairs


@given(OBJECTS, st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_whole_is_the_sum_of_its_members(value: dict[str, Any], marks: tuple[str, str]) -> None:
    data = json.dumps(value, separators=marks).encode()
    found = members(data)
    assert found is not None
    again = {json.loads(f'"{key}"'): msgspec.json.decode(data[a:b]) for key, a, b in found}
    assert again == msgspec.json.decode(data)


JSONISH = st.one_of(
    st.binary(max_size=40),
    st.lists(
        st.sampled_from(
            [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b" ", b"\n", b'"a"', b'"b":', b"1",
             b"null", b'\\"', b"\\\\", b"\x00", b"\xff", b"\xc3\xa9", b'{"k":']
        ),
        max_size=24,
    ).map(b"".join),
)  # fmt: skip


@given(JSONISH)
@example(b"")
@example(b'{"a":')
@example(b'{"a":"\\')
@example(b'{"a":"\\\\"}')
@example(b'{"a":[}')
@example(b'{"a":]}')
@example(b'{"a":1,}')
def test_any_bytes_as_its_twin(data: bytes) -> None:
    found = members(data)
    assert found == model.members(data)
    if found is None:
        return
    end = 0
    for key, a, b in found:
        assert isinstance(key, str)
        assert end < a < b < len(data), "in order, not empty, inside"
        end = b


@given(JSONISH)
def test_never_less_than_a_parser(data: bytes) -> None:
    """What a parser takes for an object has its members found; another value gives None."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    found = members(data)
    if not isinstance(value, dict):
        assert found is None
        return
    assert found is not None
    assert len({json.loads(f'"{key}"', strict=False) for key, _, _ in found}) == len(value)


@pytest.mark.parametrize(
    "data", [b"", b" ", b"[]", b"1", b'"a"', b"null", b"{", b"{}x", b'{"a"}', b'{"a":1', b"{a:1}"]
)
def test_what_is_no_object(data: bytes) -> None:
    assert members(data) is None


@pytest.mark.parametrize("data", [b"{}", b" { } \n", b"\t{\r}"])
def test_an_empty_object(data: bytes) -> None:
    assert members(data) == []


def test_deep_and_long() -> None:
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"b":"' + b"x" * 10**6 + b'"}'
    found = members(deep)
    assert found is not None
    assert [(key, b - a) for key, a, b in found] == [("a", 200_000), ("b", 10**6 + 2)]


def test_runs_of_backslashes_cost_no_more_than_their_length() -> None:
    """A string of escaped quotes: each looks back over its own backslashes only."""
    found = members(b'{"a":"' + b'\\"' * 500_000 + b"\\\\" * 500_000 + b'"}')
    assert found is not None
    assert found[0][2] - found[0][1] == 2_000_002


def test_only_bytes() -> None:
    for wrong in ("{}", bytearray(b"{}"), None):
        with pytest.raises(TypeError):
            members(wrong)  # type: ignore[arg-type]


def shape(value: Any, depth: int = 0) -> tuple[int, int]:
    """(levels, values), counted the slow way."""
    inner = list(value.values() if isinstance(value, dict) else value)
    below = [shape(one, depth + 1) for one in inner if isinstance(one, list | dict)]
    deepest = max((levels for levels, _ in below), default=depth + 1)
    plain = sum(not isinstance(one, list | dict) for one in inner)
    return deepest, 1 + plain + sum(count for _, count in below)


@given(OBJECTS)
def test_depth_and_values_are_bounded_from_above(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    levels, count = shape(value)
    assert measure(data, levels, 2 * count + 2) == 0
    assert measure(data, levels - 1, 1 << 40) == 1
    if count > 1:
        assert measure(data, 1 << 40, count // 2) == 2


def test_brackets_in_strings_are_no_levels() -> None:
    assert measure(b'{"a": "[[[[[{{{{ \\" [[[", "b": 1}', 1, 4) == 0
    assert measure(b'["' + b"[" * 100, 3, 100) == 0, "cut off: the decoder's business"
    assert measure(b"[" * 100_000, 64, 200_000) == 1
    assert measure(b"[" + b"[]," * 100_000, 64, 200_000) == 2
