"""Invariants of the translation, over random inputs."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.chat import (
    Answer,
    Block,
    RedactedThinking,
    StopReason,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from pihub.domain.collect import collect, replay
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Finish,
    Start,
    TextDelta,
    ToolInputDelta,
)
from pihub.errors import BadRequest, UpstreamProtocol
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from tests.effort import examples
from tests.protocols.carry import (
    ASKS_BY_CLIENT,
    PROTOCOLS,
    events_of,
    parse,
    request,
    stream_answer,
    written,
)
from tests.protocols.goldens import GOLDENS

FEW = examples(60)
USAGE_ASK = msgspec.structs.replace(ASKS_BY_CLIENT["openai"], include_usage=True)

plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
some_text = plain.filter(bool)
words = st.text("abcdefghij_", min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(plain, json_values, max_size=3)
inputs = st.builds(
    lambda value, indent: json.dumps(value, indent=indent, ensure_ascii=False),
    objects,
    st.sampled_from([None, 2]),
)


@st.composite
def answers(draw: st.DrawFn, *, foreign: bool = True) -> Answer:
    """Answers as models give them; neighbouring texts do not occur."""
    blocks: list[Block] = []
    if draw(st.booleans()):
        signature = draw(st.sampled_from(["", "sig=="])) if foreign else ""
        blocks.append(Thinking(draw(some_text), signature))
        if foreign and draw(st.booleans()):
            blocks.append(RedactedThinking(draw(words)))
    if draw(st.booleans()):
        blocks.append(Text(draw(some_text)))
    for number in range(draw(st.integers(0, 3))):
        blocks.append(ToolUse(f"call_{number}", draw(words), draw(inputs)))
    has_tools = any(isinstance(block, ToolUse) for block in blocks)
    stop = StopReason.TOOL_USE if has_tools else StopReason.END_TURN
    return Answer(
        id=draw(st.sampled_from(["msg_1", "chatcmpl-2"])),
        model=draw(words),
        blocks=tuple(blocks),
        stop_reason=draw(st.sampled_from([stop, StopReason.MAX_TOKENS])),
        usage=Usage(input=draw(st.integers(0, 999)), output=draw(st.integers(0, 999))),
        created=draw(st.integers(1, 2**31)),
    )


@given(answers())
@FEW
def test_replay_and_collect_are_inverse(answer: Answer) -> None:
    assert collect(replay(answer)) == answer


@given(answers())
@FEW
def test_anthropic_carries_everything(answer: Answer) -> None:
    """Stream and document, byte-exact tool inputs, signatures, redacted thinking."""
    ask = ASKS_BY_CLIENT["anthropic"]
    streamed = stream_answer("anthropic", written("anthropic", replay(answer), ask))
    whole = UPSTREAMS["anthropic"]().answer(200, [], CLIENTS["anthropic"]().render(answer, ask))
    assert streamed == whole
    assert streamed.blocks == answer.blocks and streamed.stop_reason is answer.stop_reason
    assert streamed.usage == answer.usage


def meant(answer: Answer, *, compact: bool) -> tuple[Any, ...]:
    """What OpenAI and Ollama can carry of an answer."""
    blocks: list[Any] = []
    for block in answer.blocks:
        if isinstance(block, ToolUse):
            text = json.dumps(json.loads(block.input)) if compact else block.input
            blocks.append(("tool", block.id, block.name, text))
        elif isinstance(block, Thinking):
            blocks.append(("thinking", block.text))
        elif isinstance(block, Text):
            blocks.append(("text", block.text))
    return tuple(blocks), answer.stop_reason, answer.usage, answer.model


@given(answers())
@FEW
@pytest.mark.parametrize("protocol", ["openai", "ollama"])
def test_concatenated_deltas_are_the_whole_answer(protocol: str, answer: Answer) -> None:
    ask = USAGE_ASK if protocol == "openai" else ASKS_BY_CLIENT[protocol]
    compact = protocol == "ollama"
    streamed = stream_answer(protocol, written(protocol, replay(answer), ask))
    whole = UPSTREAMS[protocol]().answer(200, [], CLIENTS[protocol]().render(answer, ask))
    assert meant(streamed, compact=compact) == meant(whole, compact=compact)
    assert meant(streamed, compact=compact) == meant(answer, compact=compact)


def anonymous(events: list[Event]) -> list[Any]:
    """Ollama's ids are minted for each parsing."""
    return [
        msgspec.structs.replace(event, id="") if isinstance(event, Start) else event
        for event in events
    ]


@given(st.sampled_from(sorted(GOLDENS)), st.data())
@examples(150)
def test_parsers_do_not_care_where_bytes_are_cut(name: str, data: st.DataObject) -> None:
    golden = GOLDENS[name]
    ending = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    raw = golden.raw if golden.protocol == "ollama" else golden.raw.replace(b"\n", ending)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=40))
    whole = events_of(UPSTREAMS[golden.protocol]().parser(), golden.raw)
    parser = UPSTREAMS[golden.protocol]().parser()
    pieces = []
    last = 0
    for cut in [*sorted(cuts), len(raw)]:
        pieces += parser.feed(raw[last:cut])
        last = cut
    pieces += parser.eof()
    assert anonymous([e for p in pieces for e in p.events]) == anonymous(whole)
    # A lone CR may leave the LF of a CRLF behind [DONE], which is no part of the stream.
    assert raw.startswith(joined := b"".join(p.raw for p in pieces))
    assert not raw[len(joined) :].strip()
    assert parser.malformed == 0 and parser.finished


@pytest.mark.parametrize("name", GOLDENS)
def test_every_single_cut(name: str) -> None:
    golden = GOLDENS[name]
    whole = anonymous(events_of(UPSTREAMS[golden.protocol]().parser(), golden.raw))
    for cut in range(1, len(golden.raw)):
        parser = UPSTREAMS[golden.protocol]().parser()
        assert anonymous(events_of(parser, golden.raw, [cut])) == whole


fragments = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([golden.raw for golden in GOLDENS.values()]),
    st.sampled_from(
        [
            b"\n",
            b"\n\n",
            b"\r",
            b"data: {}\n\n",
            b"data: [DONE]\n\n",
            b'data: {"type":"content_block_stop","index":5}\n\n',
            b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}\n\n',
            b'data: {"choices":[{"delta":{"tool_calls":[{}]}}]}\n\n',
            b'data: {"choices":[{"delta":{"tool_calls":[{"index":3,"id":"x"}]}}]}\n\n',
            b'data: {"type":"message_start","message":{}}\n\n',
            b'{"message":{"tool_calls":[{}]}}\n',
            b'{"done":true}\n',
            b"null\n",
        ]
    ),
)


@given(st.sampled_from(PROTOCOLS), st.lists(fragments, max_size=8))
@examples(200)
def test_parsers_survive_anything(protocol: str, parts: list[bytes]) -> None:
    parser = UPSTREAMS[protocol]().parser()
    pieces = []
    for part in parts:
        pieces += parser.feed(part)
    pieces += parser.eof()
    raw = b"".join(parts)
    joined = b"".join(piece.raw for piece in pieces)
    assert parser.malformed or (raw.startswith(joined) and (parser.done or joined == raw))
    events = [event for piece in pieces for event in piece.events]
    well_nested(events)
    assert parser.finished == any(isinstance(event, Finish) for event in events)


def well_nested(events: list[Event]) -> None:
    """Start first, blocks without overlap, indices rising by one, nothing after Finish."""
    index = -1
    is_open = started = ended = False
    for event in events:
        assert not ended
        if isinstance(event, Start):
            assert not started
            started = True
        elif isinstance(event, BlockStart):
            assert started and not is_open and event.index == index + 1
            index, is_open = event.index, True
        elif isinstance(event, BlockStop):
            assert is_open and event.index == index
            is_open = False
        elif isinstance(event, Finish):
            assert started and not is_open
            ended = True
        elif hasattr(event, "index"):
            assert is_open and event.index == index


@given(
    st.lists(st.tuples(words, objects, st.integers(1, 6)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.booleans(),
)
@FEW
def test_blocks_are_well_nested_for_random_interleavings(
    calls: list[tuple[str, dict[str, Any], int]], rng: random.Random, text_after: bool
) -> None:
    queues: list[list[dict[str, Any]]] = []
    for index, (name, value, pieces) in enumerate(calls):
        text = json.dumps(value)
        cuts = sorted(rng.randrange(len(text) + 1) for _ in range(pieces - 1))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        queue: list[dict[str, Any]] = [
            {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": ""}}
        ]
        queue += [{"index": index, "function": {"arguments": part}} for part in parts]
        queues.append(queue)
    raw = b""
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        raw += chunk({"delta": {"tool_calls": [queue.pop(0)]}})
    if text_after:
        raw += chunk({"delta": {"content": "after"}})
    raw += chunk({"delta": {}, "finish_reason": "tool_calls"}) + b"data: [DONE]\n\n"
    parser = UPSTREAMS["openai"]().parser()
    events = events_of(parser, raw)
    well_nested(events)
    assert parser.malformed == 0
    tools = [block for block in collect(events).blocks if isinstance(block, ToolUse)]
    assert {(b.id, b.name, b.input) for b in tools} == {
        (f"c{index}", name, json.dumps(value)) for index, (name, value, _) in enumerate(calls)
    }


def chunk(choice: dict[str, Any]) -> bytes:
    body = {"id": "i", "model": "m", "choices": [{"index": 0, **choice}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


# ---- round trips of requests ---------------------------------------------------------

said = some_text.filter(lambda text: text.strip() == text)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """OpenAI messages as agents send them: system, turns, parallel tool calls."""
    messages: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 2))):
        messages.append({"role": "system", "content": draw(said)})
    messages.append({"role": "user", "content": draw(said)})
    count = 0
    for _ in range(draw(st.integers(0, 3))):
        calls = []
        for _ in range(draw(st.integers(0, 3))):
            function = {"name": draw(words), "arguments": draw(inputs)}
            calls.append({"id": f"call_{count}", "type": "function", "function": function})
            count += 1
        text = draw(said) if not calls or draw(st.booleans()) else None
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = calls
        messages.append(message)
        for call in calls:
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": draw(said)})
        if not calls or draw(st.booleans()):
            messages.append({"role": "user", "content": draw(said)})
    return messages


def joined_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    texts = [m["content"] for m in messages if m["role"] == "system"]
    rest = [m for m in messages if m["role"] != "system"]
    return [{"role": "system", "content": "\n".join(texts)}, *rest] if texts else rest


@given(conversations())
@FEW
def test_openai_anthropic_openai_keeps_roles_ids_inputs_and_order(
    messages: list[dict[str, Any]],
) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    there = UPSTREAMS["anthropic"]().request(parse("openai", body), "c", stream=False)[2]
    back = request("openai", CLIENTS["anthropic"]().parse(there))
    assert back["messages"] == joined_system(messages)


@given(conversations())
@FEW
def test_anthropic_openai_anthropic_keeps_roles_ids_inputs_and_order(
    messages: list[dict[str, Any]],
) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    first = UPSTREAMS["anthropic"]().request(parse("openai", body), "c", stream=False)[2]
    there = UPSTREAMS["openai"]().request(CLIENTS["anthropic"]().parse(first), "g", stream=False)[2]
    back = UPSTREAMS["anthropic"]().request(CLIENTS["openai"]().parse(there), "c", stream=False)[2]
    assert back == first


@given(conversations())
@FEW
def test_openai_ollama_openai_keeps_roles_ids_inputs_and_order(
    messages: list[dict[str, Any]],
) -> None:
    body = {"model": "m", "messages": messages}
    there = UPSTREAMS["ollama"]().request(parse("openai", body), "l", stream=False)[2]
    back = request("openai", CLIENTS["ollama"]().parse(there))
    assert back["messages"] == joined_system(messages)


@given(st.sampled_from(PROTOCOLS), st.binary(max_size=60) | json_values.map(json.dumps))
@examples(200)
def test_client_parsers_raise_only_bad_request(protocol: str, body: bytes | str) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    with pytest.raises(BadRequest):
        CLIENTS[protocol]().parse(data)


def test_events_are_delivered_as_soon_as_they_are_complete() -> None:
    """No delta waits for a later one: the first token counts."""
    for name, golden in GOLDENS.items():
        separator = b"\n" if golden.protocol == "ollama" else b"\n\n"
        parser = UPSTREAMS[golden.protocol]().parser()
        for event in golden.raw.split(separator)[:-1]:
            pieces = parser.feed(event + separator)
            assert len(pieces) == 1, name
            if b'"text_delta"' in event or b'"content":"T' in event:
                assert any(isinstance(e, TextDelta) for e in pieces[0].events), name
            if b'partial_json":"{' in event:
                assert any(isinstance(e, ToolInputDelta) for e in pieces[0].events), name


def test_a_stream_without_end_is_bounded() -> None:
    for protocol in PROTOCOLS:
        parser = UPSTREAMS[protocol]().parser()
        with pytest.raises(UpstreamProtocol):
            for _ in range(200):
                parser.feed(b"x" * 65536)
