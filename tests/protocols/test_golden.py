"""The vendors' documented streams, byte for byte."""

from __future__ import annotations

import json

import pytest

from pihub.domain.chat import Answer, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import replay
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from pihub.protocols.responses.client import ResponsesClient
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


SAID = Answer(
    id="chatcmpl-1",
    model="gpt",
    blocks=(Text("Hé"),),
    stop_reason=StopReason.END_TURN,
    usage=Usage(input=3, output=2),
    created=1700000000,
    timings={"total_duration": 9, "load_duration": 1, "prompt_eval_duration": 2,
             "eval_duration": 5},
)  # fmt: skip


def test_completions_stream_byte_for_byte() -> None:
    ask = CLIENTS["completions"]().parse(
        b'{"model":"m","prompt":"p","stream":true,"stream_options":{"include_usage":true}}'
    )
    head = '{"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"gpt","choices":'

    def line(text: str, finish: str) -> str:
        choice = f'{{"text":"{text}","index":0,"logprobs":null,"finish_reason":{finish}}}'
        return f'data: {head}[{choice}],"usage":null}}\n\n'

    usage = (
        '{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,'
        '"prompt_tokens_details":{"cached_tokens":0}}'
    )
    expected = line("Hé", "null") + line("", '"stop"')
    expected += f'data: {head}[],"usage":{usage}}}\n\ndata: [DONE]\n\n'
    assert written("completions", replay(SAID), ask).decode() == expected


def test_generate_stream_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pihub.protocols.ollama.stream_out.time.time_ns", lambda: 17 * 10**17 + 5)
    ask = CLIENTS["generate"]().parse(b'{"model":"m","prompt":"p"}')
    head = '{"model":"gpt","created_at":"2023-11-14T22:13:20.000000005Z","response":'
    expected = (
        head + '"Hé","done":false}\n' + head + '"","done":true,"done_reason":"stop",'
        '"total_duration":9,"load_duration":1,"prompt_eval_count":3,"prompt_eval_duration":2,'
        '"eval_count":2,"eval_duration":5}\n'
    )
    assert written("generate", replay(SAID), ask).decode() == expected


def test_responses_stream_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Event names, numbers and order; the ids are minted."""
    monkeypatch.setattr("pihub.protocols.responses.stream_out.mint", lambda prefix: prefix + "1")
    client = ResponsesClient()
    ask = client.parse(b'{"model":"m","input":"hi","stream":true,"store":false}')
    renderer = client.renderer(ask)
    found = b"".join(renderer.feed(event) for event in replay(SAID)).decode()
    where = '"item_id":"msg_1","output_index":0,"content_index":0'
    part = '{"type":"output_text","text":"%s","annotations":[],"logprobs":[]}'
    item = (
        '{"id":"msg_1","type":"message","status":"%s","role":"assistant","content":[%s]}'
    )
    whole = part % "Hé"

    def event(number: int, kind: str, rest: str) -> str:
        name = f"response.{kind}"
        return f'event: {name}\ndata: {{"type":"{name}","sequence_number":{number},{rest}}}\n\n'

    middle = (
        event(2, "output_item.added", '"output_index":0,"item":' + item % ("in_progress", ""))
        + event(3, "content_part.added", where + ',"part":' + part % "")
        + event(4, "output_text.delta", where + ',"delta":"Hé","logprobs":[]')
        + event(5, "output_text.done", where + ',"text":"Hé","logprobs":[]')
        + event(6, "content_part.done", where + ',"part":' + whole)
        + event(7, "output_item.done", '"output_index":0,"item":' + item % ("completed", whole))
    )
    assert middle in found
    before, after = found.split(middle)
    shell = json.loads(before.split("data: ")[1].split("\n")[0])["response"]
    assert before.count("event: ") == 2 and after.count("event: ") == 1
    for number, kind, text in ((0, "created", before), (1, "in_progress", before)):
        assert event(number, kind, '"response":' + dumps(shell)) in text
    done = shell | {
        "status": "completed",
        "output": [json.loads(item % ("completed", whole))],
        "usage": {"input_tokens": 3,
                  "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                  "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0},
                  "total_tokens": 5},
    }  # fmt: skip
    assert after == event(8, "completed", '"response":' + dumps(done))


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
