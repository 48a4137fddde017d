"""Edits of a body that leave all other bytes alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import BadRequest
from pihub.protocols.jsontext import compact, edit, members
from pihub.protocols.registry import UPSTREAMS

BODY = (
    b' {\n  "messages" : [ {"role":"user","content":"say \\"model\\": x"} ],\n'
    b'  "model" :\t"assistant" , "n": 1.50, "stream":false\n} '
)


def test_only_the_value_changes() -> None:
    assert edit(BODY, {"model": b'"m"'}) == BODY.replace(b'"assistant"', b'"m"')
    assert edit(BODY, {"model": b'"assistant"'}) is BODY
    assert edit(BODY, {"extra": b"1"}) == BODY.replace(b"{\n", b'{"extra":1,\n', 1)
    assert edit(b"{}", {"a": b"1"}) == b'{"a":1}'
    assert edit(b'{"\\u006dodel":1}', {"model": b"2"}) == b'{"\\u006dodel":2}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","model":"a"}',
        b'{"x":1,"model":"a","x":12}',
        b'{"x":12,"model":"a","x":1}',
        b'{"x":{"a":1},"x":{"a":1}}',
        b'{"\\u006dodel":"a","model":"b"}',
        b'{"model":"a","MODEL":"b"}',
        b'{"model":"a","Model":"b"}',
        '{"model":"a","ſtream":true}'.encode(),
        b"[]",
        b"",
        b"{",
        b'{"a":1}{"b":2}',
    ],
)
def test_bodies_that_could_mean_two_things_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        edit(body, {"model": b'"m"', "stream": b"true"})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('abc,{}[]:"\\ ', max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text('abc"\\,:{}é', max_size=4), values, max_size=5),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_edit_agrees_with_decode_and_encode(
    body: dict[str, Any], indent: int | str | None, ascii_only: bool
) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode()
    assert [(k, json.loads(text[a:b])) for k, a, b in members(text)] == list(body.items())
    folded = {key.casefold() for key in body}
    if "model" in folded and "model" not in body:
        return
    assert json.loads(edit(text, {"model": b'"m"'})) == {**body, "model": "m"}


def test_compact_keeps_numbers_order_and_strings() -> None:
    assert compact('{ "b" : 1.50 ,\n"a": [1e2, "x  y"] }') == b'{"b":1.50,"a":[1e2,"x  y"]}'


OPENAI = b'{"model":"assistant","messages":[{"role":"user","content":"hi"}],"seed":1.0}'


@pytest.mark.parametrize(
    ("body", "stream", "expected"),
    [
        (OPENAI, False, OPENAI.replace(b"assistant", b"gpt-x")),
        (
            OPENAI,
            True,
            b'{"stream":true,"stream_options":{"include_usage":true},'
            + OPENAI.replace(b"assistant", b"gpt-x")[1:],
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage":false,"x":1.0},"model":"a"}',
            True,
            b'{"stream":true,"stream_options":{"include_usage":true,"x":1.0},"model":"gpt-x"}',
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage":true},"model":"a"}',
            True,
            b'{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-x"}',
        ),
        (
            b'{"stream_options":null,"stream":true,"model":"a"}',
            True,
            b'{"stream_options":{"include_usage":true},"stream":true,"model":"gpt-x"}',
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage":true},"model":"a"}',
            False,
            b'{"stream":false,"stream_options":null,"model":"gpt-x"}',
        ),
    ],
)
def test_case_50_openai_pass_through(body: bytes, stream: bool, expected: bytes) -> None:
    assert UPSTREAMS["openai"]().patch_request(body, "gpt-x", stream=stream) == expected


def test_case_50_anthropic_and_ollama_pass_through() -> None:
    signed = (
        b'{"model": "a", "max_tokens": 9, "messages": [{"role":"assistant","content":'
        b'[{"type":"thinking","thinking":"\\u00e9","signature":"s=="}]}], "top_p": 1.0}'
    )
    anthropic = UPSTREAMS["anthropic"]()
    patched = signed.replace(b'"a"', b'"c"')
    assert anthropic.patch_request(signed, "c", stream=False) == patched
    assert anthropic.patch_request(signed, "c", stream=True) == b'{"stream":true,' + patched[1:]
    ollama = UPSTREAMS["ollama"]()
    body = b'{"model":"a","options":{"num_ctx":4096}}'
    assert ollama.patch_request(body, "b", stream=True) == (
        b'{"stream":true,"model":"b","options":{"num_ctx":4096}}'
    )
    assert ollama.patch_request(b'{"model":"a","stream":true}', "b", stream=False) == (
        b'{"model":"b","stream":false}'
    )


def test_model_names_are_escaped() -> None:
    patched = UPSTREAMS["openai"]().patch_request(b'{"model":"a"}', 'x"},{', stream=False)
    assert json.loads(patched) == {"model": 'x"},{'}
