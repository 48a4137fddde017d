"""Stop reasons and usage between the protocols."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.domain.chat import Answer, StopReason, Text, ToolUse, Usage
from pihub.domain.collect import replay
from pihub.protocols.registry import UPSTREAMS
from tests.protocols.carry import chat, ndjson, parse, rendered, sse, stream_answer, user, written

ASKS = {
    name: parse(name, chat(name, user(), stream=True)) for name in ("openai", "anthropic", "ollama")
}
USAGE_ASK = parse(
    "openai", chat("openai", user(), stream=True, stream_options={"include_usage": True})
)


def answered(stop: StopReason, *, usage: Usage | None = None, tool: bool = False) -> Answer:
    blocks = (ToolUse("c", "f", "{}"),) if tool else (Text("x"),)
    return Answer(id="i", model="m", blocks=blocks, stop_reason=stop, usage=usage)


TABLE = [
    (StopReason.END_TURN, "end_turn", "stop", "stop"),
    (StopReason.STOP_SEQUENCE, "stop_sequence", "stop", "stop"),
    (StopReason.MAX_TOKENS, "max_tokens", "length", "length"),
    (StopReason.TOOL_USE, "tool_use", "tool_calls", "stop"),
    (StopReason.PAUSE_TURN, "pause_turn", "stop", "stop"),
    (StopReason.REFUSAL, "refusal", "content_filter", "stop"),
    (StopReason.CONTEXT_EXCEEDED, "model_context_window_exceeded", "length", "length"),
]


@pytest.mark.parametrize(("stop", "anthropic", "openai", "ollama"), TABLE)
def test_stop_reasons_as_clients_see_them(
    stop: StopReason, anthropic: str, openai: str, ollama: str
) -> None:
    answer = answered(stop, tool=stop is StopReason.TOOL_USE)
    assert rendered("anthropic", answer, ASKS["anthropic"])["stop_reason"] == anthropic
    choice = rendered("openai", answer, ASKS["openai"])["choices"][0]
    assert choice["finish_reason"] == openai
    assert rendered("ollama", answer, ASKS["ollama"])["done_reason"] == ollama

    events = sse(written("anthropic", replay(answer), ASKS["anthropic"]))
    assert events[-2][1]["delta"]["stop_reason"] == anthropic
    chunks = sse(written("openai", replay(answer), ASKS["openai"]))
    assert chunks[-2][1]["choices"][0]["finish_reason"] == openai
    assert ndjson(written("ollama", replay(answer), ASKS["ollama"]))[-1]["done_reason"] == ollama


def test_every_stop_reason_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == set(StopReason)


def completion(finish: str | None, *, tool: bool = False, **fields: Any) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": "x"}
    if tool:
        function = {"name": "f", "arguments": "{}"}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "i", "model": "m", "choices": [choice], **fields}).encode()


@pytest.mark.parametrize(
    ("word", "tool", "stop"),
    [
        ("stop", False, StopReason.END_TURN),
        ("stop", True, StopReason.TOOL_USE),
        ("length", False, StopReason.MAX_TOKENS),
        ("length", True, StopReason.MAX_TOKENS),
        ("tool_calls", True, StopReason.TOOL_USE),
        ("content_filter", False, StopReason.REFUSAL),
        ("eos", False, StopReason.END_TURN),
        (None, False, StopReason.END_TURN),
    ],
)
def test_openai_finish_reasons(word: str | None, tool: bool, stop: StopReason) -> None:
    answer = UPSTREAMS["openai"]().answer(200, [], completion(word, tool=tool))
    assert (answer.stop_reason, answer.raw_stop) == (stop, word or "")


@pytest.mark.parametrize(
    ("word", "tool", "stop"),
    [
        ("stop", False, StopReason.END_TURN),
        ("stop", True, StopReason.TOOL_USE),
        ("length", True, StopReason.MAX_TOKENS),
        ("load", False, StopReason.END_TURN),
        ("unload", False, StopReason.END_TURN),
        ("who knows", False, StopReason.END_TURN),
    ],
)
def test_ollama_done_reasons(word: str, tool: bool, stop: StopReason) -> None:
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    if tool:
        message["tool_calls"] = [{"function": {"name": "f", "arguments": {}}}]
    body = {"model": "m", "message": message, "done": True, "done_reason": word}
    answer = UPSTREAMS["ollama"]().answer(200, [], json.dumps(body).encode())
    assert (answer.stop_reason, answer.raw_stop) == (stop, word)
    assert rendered("ollama", answer, ASKS["ollama"])["done_reason"] == (
        word if word in ("stop", "length", "load", "unload") else "stop"
    )


def test_anthropic_stop_reasons_and_unknown_ones() -> None:
    for reason in StopReason:
        body = {"type": "message", "model": "m", "content": [], "stop_reason": reason.value}
        answer = UPSTREAMS["anthropic"]().answer(200, [], json.dumps(body).encode())
        assert answer.stop_reason is reason
    body = {"content": [], "stop_reason": "from_the_future", "stop_sequence": "END"}
    answer = UPSTREAMS["anthropic"]().answer(200, [], json.dumps(body).encode())
    assert (answer.stop_reason, answer.raw_stop) == (StopReason.END_TURN, "from_the_future")
    assert answer.stop_sequence == "END"


def test_cached_tokens_are_inside_openais_prompt_and_outside_anthropics_input() -> None:
    usage = Usage(input=100, output=7, cache_read=50, cache_write_5m=20, cache_write_1h=5)
    answer = answered(StopReason.END_TURN, usage=usage)
    openai = rendered("openai", answer, ASKS["openai"])["usage"]
    assert openai["prompt_tokens"] == 175
    assert openai["prompt_tokens_details"]["cached_tokens"] == 50
    assert openai["total_tokens"] == 182
    anthropic = rendered("anthropic", answer, ASKS["anthropic"])["usage"]
    assert anthropic["input_tokens"] == 100
    assert anthropic["cache_read_input_tokens"] == 50
    assert anthropic["cache_creation_input_tokens"] == 25
    assert anthropic["cache_creation"]["ephemeral_1h_input_tokens"] == 5
    ollama = rendered("ollama", answer, ASKS["ollama"])
    assert (ollama["prompt_eval_count"], ollama["eval_count"]) == (175, 7)

    read = UPSTREAMS["openai"]().answer(200, [], completion("stop", usage=openai)).usage
    assert read == Usage(input=125, output=7, cache_read=50)
    floor = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}
    assert UPSTREAMS["openai"]().answer(200, [], completion("stop", usage=floor)).usage == Usage(
        input=0, output=0, cache_read=9
    )


def test_anthropic_message_delta_usage_is_set_not_added_and_omissions_keep() -> None:
    def stream(*deltas: dict[str, int]) -> bytes:
        start = {
            "type": "message_start",
            "message": {"id": "m", "usage": {"input_tokens": 25, "output_tokens": 1}},
        }
        events: list[dict[str, Any]] = [start]
        events += [{"type": "message_delta", "delta": {}, "usage": usage} for usage in deltas]
        events.append({"type": "message_stop"})
        return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)

    assert stream_answer("anthropic", stream({"output_tokens": 5}, {"output_tokens": 9})).usage == (
        Usage(input=25, output=9)
    )
    late = stream({"output_tokens": 9, "cache_read_input_tokens": 3}, {"output_tokens": 10})
    assert stream_answer("anthropic", late).usage == Usage(input=25, output=10, cache_read=3)


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "i", "model": "m", **fields}).encode() + b"\n\n"


DELTA = {"index": 0, "delta": {"content": "x"}}
FINISH = {"index": 0, "delta": {}, "finish_reason": "stop"}
SOME = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "stream",
    [
        chunk(choices=[DELTA]) + chunk(choices=[FINISH], usage=SOME) + DONE,
        chunk(choices=[DELTA]) + chunk(choices=[FINISH]) + chunk(choices=[], usage=SOME) + DONE,
        chunk(choices=[DELTA], usage=SOME) + chunk(choices=[FINISH], usage=None) + DONE,
        chunk(choices=[DELTA]) + chunk(choices=[], usage=SOME) + chunk(choices=[FINISH]) + DONE,
        chunk(choices=[DELTA])
        + chunk(choices=[FINISH])
        + chunk(choices=[{"index": 0, "delta": {}}], usage=SOME),
    ],
    ids=["finish", "separate", "first", "before-finish", "empty-delta-no-done"],
)
def test_openai_usage_is_taken_from_any_chunk(stream: bytes) -> None:
    answer = stream_answer("openai", stream)
    assert answer.usage == Usage(input=3, output=2)
    assert answer.blocks == (Text("x"),)


def test_usage_that_was_never_told_is_none() -> None:
    answer = stream_answer("openai", chunk(choices=[DELTA]) + chunk(choices=[FINISH]) + DONE)
    assert answer.usage is None
    line = b'{"model":"m","message":{"content":"x"},"done":true}\n'
    assert stream_answer("ollama", line).usage is None
    cached = b'{"model":"m","message":{"content":"x"},"done":true,"eval_count":4}\n'
    assert stream_answer("ollama", cached).usage == Usage(output=4)


def test_openai_clients_get_usage_only_if_they_ask_last_with_no_choices() -> None:
    answer = answered(StopReason.END_TURN, usage=Usage(input=3, output=2))
    silent = sse(written("openai", replay(answer), ASKS["openai"]))
    assert all("usage" not in data for _, data in silent[:-1])
    asked = [data for _, data in sse(written("openai", replay(answer), USAGE_ASK))]
    assert asked[-1] == "[DONE]"
    assert asked[-2]["choices"] == [] and asked[-2]["usage"]["total_tokens"] == 5
    assert asked[-3]["choices"][0]["finish_reason"] == "stop"
    assert all(data["usage"] is None for data in asked[:-2])


def test_the_usage_chunk_is_marked_for_pass_through() -> None:
    parser = UPSTREAMS["openai"]().parser()
    data = chunk(choices=[DELTA]) + chunk(choices=[FINISH]) + chunk(choices=[], usage=SOME) + DONE
    assert [piece.usage_only for piece in parser.feed(data)] == [False, False, True, False]


def test_message_start_carries_an_estimate_that_message_delta_corrects() -> None:
    long = parse("anthropic", chat("anthropic", user("word " * 400), stream=True))
    answer = answered(StopReason.END_TURN, usage=Usage(input=523, output=2))
    events = list(replay(answer))
    blind = [type(events[0])("i", "m", None, 0), *events[1:]]
    out = sse(written("anthropic", blind, long))
    assert 400 < out[0][1]["message"]["usage"]["input_tokens"] < 700
    assert out[-2][1]["usage"]["input_tokens"] == 523


@pytest.mark.parametrize("wrong", [-1, 2**53, 10**40])
def test_nonsense_counts_and_times_of_an_upstream_are_zero(wrong: int) -> None:
    usage = {"prompt_tokens": wrong, "completion_tokens": 2}
    answer = UPSTREAMS["openai"]().answer(
        200, [], completion("stop", usage=usage, created=float(wrong))
    )
    assert (answer.usage, answer.created) == (Usage(input=0, output=2), 0)
    body = {"type": "message", "content": [], "usage": {"input_tokens": wrong, "output_tokens": 2}}
    read = UPSTREAMS["anthropic"]().answer(200, [], json.dumps(body).encode())
    assert read.usage == Usage(input=0, output=2)
    line = {"message": {"content": ""}, "done": True, "eval_count": wrong, "total_duration": wrong}
    read = UPSTREAMS["ollama"]().answer(200, [], json.dumps(line).encode())
    assert (read.usage, read.timings) == (Usage(), {"total_duration": 0})
