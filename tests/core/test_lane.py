"""What the lane reads of a chat, against the decoders that the pipeline uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pihub._core import lane
from pihub._core.arena import Arena
from pihub._core.board import Board
from pihub._core.breaker import Breaker
from pihub._core.httphead import parse
from pihub._core.httphead import request as request_head
from pihub._core.way import LIMIT_RATE, Way, read_answer, read_ask, read_head
from pihub.errors import PihubError
from pihub.protocols.anthropic.request import patch as patch_anthropic
from pihub.protocols.openai.request import patch as patch_openai
from pihub.protocols.peek import peek
from pihub.protocols.registry import UPSTREAMS
from pihub.shared.metrics import Column
from tests.effort import examples

TEXTS = st.text(max_size=20)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False), TEXTS
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
ODD = st.sampled_from(
    ["Model", "MODEL", "Stream", "stream_options", "Stream_Options", "temperature", "Temperature",
     "max_tokens", "messages", "mod\u0435l", "\u017ftream"]
)  # fmt: skip
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def spelt(value: Any, escape: bool, indent: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=escape, indent=1 if indent else None)
    return text.encode("utf-8", "surrogatepass")


ASKS = st.builds(
    lambda base, more, escape, indent: spelt({**base, **more}, escape, indent),
    st.fixed_dictionaries(
        {"messages": VALUES},
        optional={
            "model": st.one_of(TEXTS, st.sampled_from(["m", "a/b:c"]), LEAVES),
            "stream": st.sampled_from([True, False, None, 0, "false"]),
            "temperature": st.one_of(
                st.sampled_from([0, 0.0, 1, 0.7, 1e-3, -1, None, "0", 2.50]), LEAVES
            ),
        },
    ),
    st.dictionaries(st.one_of(TEXTS, ODD), VALUES, max_size=3),
    st.booleans(),
    st.booleans(),
)


def test_thinking_is_the_pipelines_work() -> None:
    assert read_ask(json.dumps(PLAIN).encode()) is not None
    assert read_ask(json.dumps({**PLAIN, "thinking": {"type": "adaptive"}}).encode()) is None


@given(ASKS)
@example(b'{"model":"m","temperature":0.70}')
@example(b'{"model":"m","temperature":1e0}')
@example(b'{"model":"m","model":"n"}')
@example(b'{"model":"m","x":"\\ud83d"}')
@example(b'{"model":"m","x":"\\ud83d\\ude00"}')
@example(b'{"model":"\\u006d"}')
@example(b'{"model":""}')
@example(b'\xef\xbb\xbf{"model":"m"}')
@examples(400)
def test_a_plain_request_is_what_the_decoder_sees(body: bytes) -> None:
    told = read_ask(body)
    if told is None:
        return
    name, temperature = told
    assert peek(body) == (name.decode(), False, temperature)
    for patch in (patch_openai, patch_anthropic):
        spot = body.index(b'"' + name + b'"', _where(body))
        wanted = body[:spot] + b'"other/1"' + body[spot + len(name) + 2 :]
        assert patch(body, "other/1", stream=False) == wanted


def _where(body: bytes) -> int:
    """Where the value of the top-level `model` begins, about."""
    depth, i, inside = 0, 0, False
    while i < len(body):
        c = body[i : i + 1]
        if inside:
            if c == b"\\":
                i += 1
            inside = c != b'"'
        elif c == b'"':
            if depth == 1 and body[i : i + 7] == b'"model"':
                return i + 7
            inside = True
        else:
            depth += (c in b"{[") - (c in b"}]")
        i += 1
    raise AssertionError("no model")


@given(ASKS, st.data())
@examples(300)
def test_a_damaged_request_is_never_plainer_than_for_the_decoder(
    body: bytes, data: st.DataObject
) -> None:
    spot = data.draw(st.integers(0, len(body) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "add"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    if how == "cut":
        body = body[:spot]
    elif how == "flip":
        body = body[:spot] + byte + body[spot + 1 :]
    else:
        body = body[:spot] + byte + body[spot:]
    told = read_ask(body)
    if told is not None:
        assert peek(body) == (told[0].decode(), False, told[1])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"model":"m"}', (b"m", None)),
        (b' { "model" : "m" , "temperature" : 0.7 } ', (b"m", 0.7)),
        (b'{"temperature":0,"model":"a/b:c","stream":false}', (b"a/b:c", 0.0)),
        (b'{"model":"m","temperature":null,"x":[1,{"y":"\xc3\xa4\\n"}]}', (b"m", None)),
        (b'{"model":"m","stream":true}', None),
        (b'{"model":"m","stream":null}', None),
        (b'{"model":"m","stream_options":null}', None),
        (b'{"model":"m","Stream":1}', None),
        (b'{"model":"m","x":1,"X":2}', None),
        (b'{"model":"m","temperature":-0}', None),
        (b'{"model":"m","temperature":"1"}', None),
        (b'{"model":"m","x":01}', None),
        (b'{"model":"m","x":"\x01"}', None),
        (b'{"model":"m","x":"\xed\xa0\x80"}', None),
        (b'{"model":"m","x":"\xc0\xaf"}', None),
        (b'{"model":"m","\\u0078":1}', None),
        (b'{"model":"m"} x', None),
        (b'{"model":"m",}', None),
        (b'["model"]', None),
        (b'{"model":"m","x":' + b"[" * 70 + b"]" * 70 + b"}", None),
        (b"{" + b",".join(b'"k%d":1' % i for i in range(40)) + b',"model":"m"}', None),
        (b"", None),
    ],
)
def test_what_is_plain(body: bytes, told: Any) -> None:
    assert read_ask(body) == told


# ---- answers -----------------------------------------------------------------------

COUNTS = st.one_of(st.integers(-5, 2 * 10**9), st.none(), st.sampled_from([1.0, "1", 1e3, True]))


def usage(names: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.fixed_dictionaries({}, optional={**names, "other": VALUES}),
        st.sampled_from([[], 1, {}]),
    )


OPENAI = st.fixed_dictionaries(
    {
        "choices": st.one_of(
            st.lists(
                st.fixed_dictionaries(
                    {"message": st.one_of(st.just({"role": "assistant", "content": "hi"}), VALUES)},
                    optional={
                        "index": st.sampled_from([0, 0, 0, 1, None, "0", 0.0]),
                        "finish_reason": st.one_of(
                            st.sampled_from(["stop", "length", None, 1]), TEXTS
                        ),
                        "logprobs": VALUES,
                    },
                ),
                min_size=0,
                max_size=2,
            ),
            VALUES,
        )
    },
    optional={
        "usage": usage(
            {
                "prompt_tokens": COUNTS,
                "completion_tokens": COUNTS,
                "prompt_tokens_details": usage(
                    {"cached_tokens": COUNTS, "cache_write_tokens": COUNTS}
                ),
                "completion_tokens_details": usage({"reasoning_tokens": COUNTS}),
            }
        ),
        "id": VALUES,
        "error": VALUES,
    },
)
ANTHROPIC = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["message", "message", "message", "error", None]),
        "content": st.one_of(st.just([{"type": "text", "text": "hi"}]), VALUES),
    },
    optional={
        "stop_reason": st.one_of(st.sampled_from(["end_turn", "max_tokens", None, 1]), TEXTS),
        "usage": usage(
            {
                "input_tokens": COUNTS,
                "output_tokens": COUNTS,
                "cache_read_input_tokens": COUNTS,
                "cache_creation_input_tokens": COUNTS,
                "cache_creation": usage(
                    {"ephemeral_5m_input_tokens": COUNTS, "ephemeral_1h_input_tokens": COUNTS}
                ),
                "output_tokens_details": usage({"thinking_tokens": COUNTS}),
            }
        ),
        "model": VALUES,
    },
)


def same_as_glance(protocol: str, body: bytes) -> bool:
    """Whether the answer was plain; if so, it is what the format's glance says."""
    told = read_answer(protocol, body)
    if told is None:
        return False
    seen = UPSTREAMS[protocol]().glance(200, body)
    assert told[1].decode() == seen.raw_stop
    if seen.usage is None:
        assert told[0] is None
    else:
        u = seen.usage
        assert told[0] == (u.input, u.output, u.cache_read, u.cache_write_5m, u.cache_write_1h)
    return True


@given(OPENAI, st.booleans(), st.booleans())
@examples(400)
def test_a_plain_answer_of_openai_is_what_its_format_sees(
    answer: Any, escape: bool, indent: bool
) -> None:
    same_as_glance("openai", spelt(answer, escape, indent))


@given(ANTHROPIC, st.booleans(), st.booleans())
@examples(400)
def test_a_plain_answer_of_anthropic_is_what_its_format_sees(
    answer: Any, escape: bool, indent: bool
) -> None:
    same_as_glance("anthropic", spelt(answer, escape, indent))


@given(st.sampled_from(["openai", "anthropic"]), st.data())
@examples(300)
def test_a_damaged_answer_is_never_plainer_than_for_the_format(
    protocol: str, data: st.DataObject
) -> None:
    answer = data.draw(OPENAI if protocol == "openai" else ANTHROPIC)
    body = bytearray(spelt(answer, True, False))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        same_as_glance(protocol, bytes(body))
    except PihubError as error:
        raise AssertionError("taken for plain, and is not") from error


CHOICE = b'{"index":0,"message":{"content":"x"},"finish_reason":"stop"}'


@pytest.mark.parametrize(
    ("protocol", "body", "told"),
    [
        ("openai", b'{"choices":[' + CHOICE + b"]}", (None, b"stop")),
        (
            "openai",
            b'{"usage":{"prompt_tokens":12,"completion_tokens":5,"prompt_tokens_details":'
            b'{"cached_tokens":4}},"choices":[' + CHOICE + b"]}",
            ((8, 5, 4, 0, 0), b"stop"),
        ),
        ("openai", b'{"choices":[' + CHOICE + b"," + CHOICE + b"]}", None),
        ("openai", b'{"choices":[]}', None),
        ("openai", b'{"choices":[{"message":null}]}', None),
        ("openai", b'{"choices":[' + CHOICE + b'],"choices":[]}', None),
        ("openai", b'{"choices":[' + CHOICE + b'],"usage":{"prompt_tokens":1e1}}', None),
        ("openai", b'{"error":{"message":"x"}}', None),
        ("openai", b"<html>", None),
        (
            "anthropic",
            b'{"type":"message","content":[],"stop_reason":"end_turn","usage":'
            b'{"input_tokens":9,"output_tokens":2,"cache_creation_input_tokens":7,'
            b'"cache_creation":{"ephemeral_1h_input_tokens":3}}}',
            ((9, 2, 0, 4, 3), b"end_turn"),
        ),
        ("anthropic", b'{"type":"error","content":[]}', None),
        ("anthropic", b'{"type":"message"}', None),
    ],
)
def test_which_answers_are_plain(protocol: str, body: bytes, told: Any) -> None:
    assert read_answer(protocol, body) == told
    if told is not None:
        assert same_as_glance(protocol, body)


# ---- heads --------------------------------------------------------------------------

LINES = st.lists(
    st.sampled_from(
        [b"content-length: 3", b"Content-Length: 4", b"content-length: x", b"connection: close",
         b"Connection: keep-alive", b"connection: keep-alive, close", b"transfer-encoding: chunked",
         b"x: y", b"x : y", b" x: y", b"x", b"date: now"]
    ),
    max_size=4,
)  # fmt: skip
FIRST = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue",
     b"HTTP/1.1 204 No Content", b"HTTP/1.1 500 No", b"HTTP/2 200 OK", b"ICY 200 OK"]
)  # fmt: skip


@given(FIRST, LINES, st.sampled_from([b"\r\n", b"\r\n", b"\n"]), st.integers(0, 12))
@examples(500)
def test_a_plain_head_is_what_the_parser_sees(
    first: bytes, lines: list[bytes], end: bytes, cut: int
) -> None:
    data = end.join([first, *lines, b"", b""])
    data = data[: len(data) - cut] if cut % 3 == 0 else data
    told = read_head(data)
    seen = parse(data, 0, False)
    plain = (
        isinstance(seen, tuple) and seen[0] == 200 and seen[2] == "1.1" and seen[4] == 1 and seen[6]
    )
    if told is not None:
        assert plain and isinstance(seen, tuple) and told == (seen[7], seen[5])
    elif plain:  # only what the lane does not care for may be lost
        assert any(b"keep-alive," in line for line in lines)


@pytest.mark.native
def test_the_number_of_its_counter_is_that_of_python() -> None:
    header = Path(lane.__file__).parent / "include" / "ph_lane.h"
    assert f"PH_COLUMN_LANE = {int(Column.LANE)} " in header.read_text()


# ---- ways ---------------------------------------------------------------------------


def way(**changed: Any) -> Way:
    arena = Arena.create([("breakers", Breaker.size_for(2))], 1)
    facts: dict[str, Any] = {
        "protocol": "openai", "head": request_head("POST", "/v1", "host: a\r\n", [], 0, b""),
        "model": b'"m"', "version": None, "breakers": Breaker(arena, "breakers", 2), "row": 0,
        "calls": 0, "ok": 1, "take": lambda now: None, "release": lambda connection: None,
        "names": (1, 2, 3), "simulated": False, "shown": (), "price": None, "unpriced": None,
        "headers": 1.0, "boards": (), "may": lambda: True, "total": 2.0,
    }  # fmt: skip
    return Way(**{**facts, **changed})


def test_a_way_refuses_what_it_cannot_count_or_send() -> None:
    way()
    rates = (1, 2, 3, 4, LIMIT_RATE - 1)
    way(price=(rates, 0, rates))
    with pytest.raises(ValueError, match="rate"):
        way(price=((1, 2, 3, 4, LIMIT_RATE), 0, rates))
    with pytest.raises(ValueError, match="head"):
        way(head=b"POST / HTTP/1.1\r\n\r\n")
    with pytest.raises(IndexError):
        way(row=2)
    with pytest.raises(KeyError):
        way(protocol="ollama")


def test_a_way_asks_anew_when_a_board_has_news() -> None:
    arena = Arena.create([("news", Board.size_for(64)), ("more", Board.size_for(64))], 1)
    boards = (Board(arena, "news"), Board(arena, "more"))
    answers = iter([True, False, True])
    one = way(boards=boards, may=lambda: next(answers))
    assert one.is_open() and one.is_open()
    boards[0].publish(b"x")
    assert not one.is_open() and not one.is_open()
    boards[1].publish(b"x")
    assert one.is_open()
    with pytest.raises(TypeError):
        way(boards=(None,))
