"""The vendors' documented streams, byte for byte."""

from __future__ import annotations

import pytest

from pihub.domain.chat import Answer, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import replay
from pihub.protocols.registry import UPSTREAMS
from tests.protocols.carry import chat, parse, stream_answer, user, written
from tests.protocols.goldens import GOLDENS

USAGE_ASK = parse(
    "openai", chat("openai", user(), stream=True, stream_options={"include_usage": True})
)
ANTHROPIC_ASK = parse("anthropic", chat("anthropic", user(), stream=True))


@pytest.mark.parametrize("name", GOLDENS)
def test_documented_streams_mean_what_they_say(name: str) -> None:
    golden = GOLDENS[name]
    answer = stream_answer(golden.protocol, golden.raw)
    assert answer.blocks == golden.blocks
    assert answer.stop_reason is golden.stop
    assert answer.usage == golden.usage


@pytest.mark.parametrize("name", GOLDENS)
def test_documented_streams_pass_byte_for_byte(name: str) -> None:
    golden = GOLDENS[name]
    parser = UPSTREAMS[golden.protocol]().parser()
    pieces = parser.feed(golden.raw)
    assert b"".join(piece.raw for piece in pieces) == golden.raw
    assert parser.finished and parser.done and parser.malformed == 0
    separator = b"\n" if golden.protocol == "ollama" else b"\n\n"
    assert len(pieces) == golden.raw.count(separator)
    assert parser.feed(b"data: more\n\n") == [] and parser.eof() == []


def test_ollama_timings_are_kept() -> None:
    answer = stream_answer("ollama", GOLDENS["ollama-text"].raw)
    assert answer.timings == {
        "total_duration": 4883583458,
        "load_duration": 1334875,
        "prompt_eval_duration": 342546000,
        "eval_duration": 4535599000,
    }
    assert answer.created == 1691164339 and answer.model == "llama3.2"


ANSWER = Answer(
    id="msg_1",
    model="claude",
    blocks=(Thinking("Hm.", "sig"), Text('Hé "q"'), ToolUse("toolu_1", "f", '{"a": 1.50}')),
    stop_reason=StopReason.TOOL_USE,
    usage=Usage(input=10, output=5, cache_read=2),
    created=1700000000,
)


def test_openai_stream_byte_for_byte() -> None:
    head = (
        'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"claude","choices":'
    )

    def line(delta: str, finish: str = "null") -> str:
        return (
            head
            + '[{"index":0,"delta":'
            + delta
            + ',"logprobs":null,"finish_reason":'
            + finish
            + '}],"usage":null}\n\n'
        )

    expected = (
        line('{"role":"assistant","content":""}')
        + line('{"reasoning_content":"Hm."}')
        + line('{"content":"Hé \\"q\\""}')
        + line(
            '{"tool_calls":[{"index":0,"id":"toolu_1","type":"function",'
            '"function":{"name":"f","arguments":""}}]}'
        )
        + line('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\": 1.50}"}}]}')
        + line("{}", '"tool_calls"')
        + head
        + '[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,'
        + '"prompt_tokens_details":{"cached_tokens":2}}}\n\n'
        + "data: [DONE]\n\n"
    )
    assert written("openai", replay(ANSWER), USAGE_ASK).decode() == expected


def test_anthropic_stream_byte_for_byte() -> None:
    usage = (
        '{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,'
        '"output_tokens":5}'
    )
    events = [
        (
            "message_start",
            '"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude",'
            '"content":[],"stop_reason":null,"stop_sequence":null,"usage":' + usage + "}",
        ),
        (
            "content_block_start",
            '"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}',
        ),
        (
            "content_block_delta",
            '"index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}',
        ),
        (
            "content_block_delta",
            '"index":0,"delta":{"type":"signature_delta","signature":"sig"}',
        ),
        ("content_block_stop", '"index":0'),
        ("content_block_start", '"index":1,"content_block":{"type":"text","text":""}'),
        ("content_block_delta", '"index":1,"delta":{"type":"text_delta","text":"Hé \\"q\\""}'),
        ("content_block_stop", '"index":1'),
        (
            "content_block_start",
            '"index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}',
        ),
        (
            "content_block_delta",
            '"index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\": 1.50}"}',
        ),
        ("content_block_stop", '"index":2'),
        (
            "message_delta",
            '"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":' + usage,
        ),
        ("message_stop", ""),
    ]
    expected = "".join(
        f'event: {name}\ndata: {{"type":"{name}"{"," if rest else ""}{rest}}}\n\n'
        for name, rest in events
    )
    assert written("anthropic", replay(ANSWER), ANTHROPIC_ASK).decode() == expected
