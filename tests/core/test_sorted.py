"""Members at the top in the order of their names: what becomes the same is the same."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.wire import sorted_members
from tests.model.ordered import members
from tests.model.ordered import sorted_members as twin

NAMES = st.text("abmodel_ é", min_size=0, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab\"\\ é,{}:", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def compact(value: Any, *, plain: bool = False) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=plain).encode()


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.integers(0, 99), st.booleans())
def test_any_order_becomes_one(value: dict[str, Any], seed: int, plain: bool) -> None:
    items = list(value.items())
    random.Random(seed).shuffle(items)
    one, other = compact(value, plain=plain), compact(dict(items), plain=plain)
    assert sorted_members(one)[0] == sorted_members(other)[0] == twin(one) == twin(other)
    found = sorted_members(one)[0]
    if found:
        assert json.loads(found) == value
        assert len(found) == len(one)


PIECES = [
    b'"a":', b'"b":', b'"model":', b'"\\u0061":', b'"\xc3\xa9":', b"1", b"1.0", b"1e0", b'"x"',
    b'"\\u0078"', b"[", b"]", b"{", b"}", b",", b":", b"null", b"tru", b"-", b'"', b"\xff",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_what_is_sorted_was_valid_and_is_the_same(parts: list[bytes]) -> None:
    text = b"{" + b"".join(parts) + b"}"
    found = sorted_members(text)[0]
    assert found == twin(text)
    if found:
        assert json.loads(found) == json.loads(text)
        assert sorted(members(found)) == sorted(members(text))


DIFFERENT = [
    b'{"a":1,"b":2}', b'{"a":1.0,"b":2}', b'{"a":1e0,"b":2}', b'{"a":10e-1,"b":2}',
    b'{"a":"1","b":2}', b'{"\\u0061":1,"b":2}', b'{"a":1,"b":2,"a":1}', b'{"a":2,"a":1,"b":2}',
    b'{"a":1,"a":2,"b":2}', b'{"b":2,"\\u0061":1,"a":3}', b'{"a":1,"b":2,"c":{"x":1,"y":2}}',
    b'{"a":1,"b":2,"c":{"y":2,"x":1}}', b'{"a":1,"b":2,"c":[1,2]}', b'{"a":1,"b":2,"c":[2,1]}',
    b'{"a":1,"b":2,"c":"\xc3\xa9"}', b'{"a":1,"b":2,"c":"\\u00e9"}',
    b'{"a":1,"b":2,"c":"e\xcc\x81"}', b'{"a":100000000000000000000,"b":2}',
    b'{"a":100000000000000000001,"b":2}', b'{"a":-0,"b":2}', b'{"a":0,"b":2}',
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(DIFFERENT, 2)))
def test_two_spellings_never_become_one(one: bytes, other: bytes) -> None:
    first, second = sorted_members(one)[0] or one, sorted_members(other)[0] or other
    assert first != second


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b"1", b'"a"', b"{", b'{"a":1', b'{"a":1}x', b'{"a":1,}', b'{"a":1 }x',
        b'{"a":01}', b'{"a":NaN}', b'{"a":1,"a":1}', b'{"\xc3\xa9":1}', b'{"\\n":1}', b'{"a" 1}',
        b'{"a":"\x01"}', b'{"a":"\xff"}', b'{"a":"\\ud800"}'[:-2],
        b"{" + b",".join(b'"%d":1' % n for n in range(65)) + b"}",
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)  # fmt: skip
def test_what_is_left_alone(text: bytes) -> None:
    assert sorted_members(text)[0] == b""


def test_as_many_as_there_may_be() -> None:
    text = b"{" + b",".join(b'"%02d":1' % n for n in reversed(range(64))) + b"}"
    assert sorted_members(text)[0] == b"{" + b",".join(b'"%02d":1' % n for n in range(64)) + b"}"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (b'{"a":1,"model":"m"}', b"m"),
        (b'{"model":"","a":1}', b""),
        (b'{"a":{"model":"m"}}', None),
        (b'{"model":1}', None),
        (b'{"model":"\\u006d"}', None),
        (b'{"model":"\xc3\xa9"}', None),
        (b'{"models":"m"}', None),
    ],
)
def test_which_model_it_asks(text: bytes, model: bytes | None) -> None:
    assert sorted_members(text)[1] == model
