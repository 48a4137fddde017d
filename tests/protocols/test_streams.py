"""Streaming mechanics (cases 36 to 50)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.domain.chat import Answer, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import replay
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Failed,
    Ping,
    Start,
    TextDelta,
    ToolInputDelta,
)
from pihub.errors import UpstreamError, UpstreamProtocol
from pihub.protocols.ndjson import NDJSONSplitter
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from pihub.protocols.sse import SSESplitter
from tests.protocols.carry import (
    ASKS_BY_CLIENT,
    chat,
    events_of,
    ndjson,
    parse,
    sse,
    stream_answer,
    user,
    written,
)
from tests.protocols.chunks import DONE, chunk, delta, finish, tool
from tests.protocols.goldens import ANTHROPIC_TEXT, OLLAMA_TEXT, OPENAI_TEXT


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("space", [b" ", b""], ids=["space", "no-space"])
def test_case_36_line_ends_spaces_comments_and_bom(ending: bytes, space: bytes) -> None:
    lines = [
        b": hello",
        b"",
        b"event: e",
        b"id: 5",
        b"retry: 10",
        b"data:" + space + b"one",
        b"data:" + space + b"two",
        b"data",
        b"",
        b"",
    ]
    raw = b"\xef\xbb\xbf" + ending.join(lines)
    for step in (1, 2, 3, len(raw)):
        splitter = SSESplitter()
        events = []
        for start in range(0, len(raw), step):
            events += splitter.feed(raw[start : start + step])
        events += splitter.eof()
        assert b"".join(event.raw for event in events) == raw
        told = [event for event in events if event.data is not None or event.comment]
        assert [(e.data, e.name, e.comment) for e in told] == [
            (None, b"", True),
            (b"one\ntwo\n", b"e", False),
        ]


def test_case_36_utf8_may_be_split_and_a_second_space_is_data() -> None:
    raw = 'data: {"id":"i","choices":[{"delta":{"content":"é€😀"}}]}\n\n'.encode()
    assert events_of(UPSTREAMS["openai"]().parser(), raw, range(1, len(raw)))[2] == TextDelta(
        0, "é€😀"
    )
    splitter = SSESplitter()
    assert splitter.feed(b"\n\ndata:  x \n\n")[1].data == b" x "
    assert splitter.feed(b"data:  x \r\n\r\n")[0].data == b" x "


def test_case_36_a_huge_event_is_refused_but_one_mebibyte_is_not() -> None:
    big = "x" * (1024 * 1024)
    raw = chunk(delta(content=big)) + chunk(finish()) + DONE
    assert stream_answer("openai", raw, range(0, len(raw), 65536)).blocks == (Text(big),)
    for splitter in (SSESplitter(), NDJSONSplitter()):
        with pytest.raises(UpstreamProtocol):
            for _ in range(130):
                splitter.feed(b"data: " + b"x" * 65536)


ANSWER = Answer(
    id="msg_7",
    model="m",
    blocks=(
        Thinking("hm", "sig"),
        Text("Hi"),
        ToolUse("t1", "f", '{"a": 1}'),
        ToolUse("t2", "g", "{}"),
    ),
    stop_reason=StopReason.TOOL_USE,
    usage=Usage(input=3, output=4),
    created=1700000000,
)


def test_case_37_anthropic_order_names_and_indices() -> None:
    events = sse(written("anthropic", replay(ANSWER), ASKS_BY_CLIENT["anthropic"]))
    assert all(name == data["type"] for name, data in events)
    names = [name for name, _ in events]
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"]
    assert names.count("message_start") == 1
    starts = [d["index"] for n, d in events if n == "content_block_start"]
    stops = [d["index"] for n, d in events if n == "content_block_stop"]
    assert starts == stops == [0, 1, 2, 3]
    open_index = None
    for name, data in events:
        if name == "content_block_start":
            assert open_index is None
            open_index = data["index"]
        elif name == "content_block_delta":
            assert data["index"] == open_index
        elif name == "content_block_stop":
            assert data["index"] == open_index
            open_index = None


def test_case_38_interleaved_parallel_calls_become_blocks_in_a_row() -> None:
    raw = (
        chunk(tool(0, "", "a", "f"))
        + chunk(tool(1, "", "b", "g"))
        + chunk(tool(0, '{"x"'))
        + chunk(tool(1, '{"y":'))
        + chunk(tool(0, ":1}"))
        + chunk(tool(1, "2}"))
        + chunk(tool(2, "{}", "c", "h"))
        + chunk(finish("tool_calls"))
        + DONE
    )
    events = events_of(UPSTREAMS["openai"]().parser(), raw)
    assert events[1:-1] == [
        BlockStart(0, "tool_use", "a", "f"),
        ToolInputDelta(0, '{"x"'),
        ToolInputDelta(0, ":1}"),
        BlockStop(0),
        BlockStart(1, "tool_use", "b", "g"),
        ToolInputDelta(1, '{"y":'),
        ToolInputDelta(1, "2}"),
        BlockStop(1),
        BlockStart(2, "tool_use", "c", "h"),
        ToolInputDelta(2, "{}"),
        BlockStop(2),
    ]


def test_case_38_calls_without_index_or_all_with_index_zero() -> None:
    expected = (ToolUse("a", "f", '{"x":1}'), ToolUse("b", "g", '{"y":2}'))
    for index in (None, 0):
        raw = (
            chunk(tool(index, '{"x":1}', "a", "f"))
            + chunk(tool(index, '{"y":2}', "b", "g"))
            + chunk(finish())
            + DONE
        )
        answer = stream_answer("openai", raw)
        assert answer.blocks == expected and answer.stop_reason is StopReason.TOOL_USE


def test_case_39_text_after_a_tool_call_closes_the_tool_block_first() -> None:
    raw = (
        chunk(tool(0, '{"x":1}', "a", "f"))
        + chunk(delta(content="Done."))
        + chunk(finish("tool_calls"))
        + DONE
    )
    assert stream_answer("openai", raw).blocks == (ToolUse("a", "f", '{"x":1}'), Text("Done."))
    kinds = [type(event) for event in events_of(UPSTREAMS["openai"]().parser(), raw)]
    assert kinds.index(BlockStop) < kinds.index(TextDelta)


def test_case_40_id_and_name_once_late_name_repeated_name_minted_id() -> None:
    out = sse(written("openai", replay(ANSWER), ASKS_BY_CLIENT["openai"]))
    calls = [
        call for _, data in out[:-1] for call in data["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert [c.get("id") for c in calls] == ["t1", None, "t2", None]
    assert [c["function"].get("name") for c in calls] == ["f", None, "g", None]
    assert [c["index"] for c in calls] == [0, 0, 1, 1]
    assert "".join(c["function"]["arguments"] for c in calls[:2]) == '{"a": 1}'

    late = (
        chunk(tool(0, '{"x"', "a"))
        + chunk(tool(0, ":1}", "", "f"))
        + chunk(tool(0, "", "a", "f"))
        + chunk(finish())
        + DONE
    )
    assert stream_answer("openai", late).blocks == (ToolUse("a", "f", '{"x":1}'),)
    unnamed = chunk(tool(0, "{}", "", "f")) + chunk(tool(1, "{}", "", "f")) + chunk(finish())
    first, second = stream_answer("openai", unnamed + DONE).blocks
    assert isinstance(first, ToolUse) and isinstance(second, ToolUse)
    assert first.id.startswith("call_") and first.id != second.id


def test_case_40_a_new_id_at_every_delta_is_still_one_call() -> None:
    raw = (
        chunk(tool(0, "", "r1", "f"))
        + chunk(tool(0, '{"x"', "r2"))
        + chunk(tool(0, ":1}", "r3"))
        + chunk(finish("tool_calls"))
        + DONE
    )
    assert stream_answer("openai", raw).blocks == (ToolUse("r1", "f", '{"x":1}'),)


def test_case_41_tool_use_start_has_an_empty_input_and_empty_input_is_an_object() -> None:
    events = sse(written("anthropic", replay(ANSWER), ASKS_BY_CLIENT["anthropic"]))
    tools = [
        d["content_block"]
        for n, d in events
        if n == "content_block_start" and d["content_block"]["type"] == "tool_use"
    ]
    assert [t["input"] for t in tools] == [{}, {}]
    raw = chunk(tool(0, "", "a", "f")) + chunk(finish("tool_calls")) + DONE
    assert stream_answer("openai", raw).blocks == (ToolUse("a", "f", "{}"),)


def test_case_41_input_in_the_block_start_is_not_lost() -> None:
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    }
    raw = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "message_start", "message": {"id": "m"}},
            start,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_stop"},
        )
    )
    assert stream_answer("anthropic", raw).blocks == (ToolUse("t", "f", '{"a": 1}'),)


def test_case_41_deltas_win_over_the_input_in_the_block_start() -> None:
    raw = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "message_start", "message": {"id": "m"}},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            },
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
            },
            {"type": "content_block_stop", "index": 0},
            {"type": "message_stop"},
        )
    )
    assert stream_answer("anthropic", raw).blocks == (ToolUse("t", "f", '{"a": 1}'),)


def test_case_42_first_chunk_has_the_role_and_all_share_id_created_model() -> None:
    out = [data for _, data in sse(written("openai", replay(ANSWER), ASKS_BY_CLIENT["openai"]))][
        :-1
    ]
    assert out[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {(c["id"], c["created"], c["model"], c["object"]) for c in out} == {
        ("chatcmpl-7", 1700000000, "m", "chat.completion.chunk")
    }
    assert sum("role" in c["choices"][0]["delta"] for c in out) == 1


def test_case_43_thinking_comes_first_with_its_signature_and_never_in_content() -> None:
    events = sse(written("anthropic", replay(ANSWER), ASKS_BY_CLIENT["anthropic"]))
    kinds = [d["delta"]["type"] for n, d in events if n == "content_block_delta"]
    assert kinds[:2] == ["thinking_delta", "signature_delta"]
    out = [data for _, data in sse(written("openai", replay(ANSWER), ASKS_BY_CLIENT["openai"]))][
        :-1
    ]
    deltas = [c["choices"][0]["delta"] for c in out]
    assert "".join(d.get("content") or "" for d in deltas) == "Hi"
    assert "".join(d.get("reasoning_content", "") for d in deltas) == "hm"
    lines = ndjson(written("ollama", replay(ANSWER), ASKS_BY_CLIENT["ollama"]))
    assert lines[0]["message"] == {"role": "assistant", "content": "", "thinking": "hm"}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_case_43_reasoning_of_openai_upstreams_is_thinking(name: str) -> None:
    raw = (
        chunk(delta(**{name: "a"}))
        + chunk(delta(**{name: "b", "content": ""}))
        + chunk(delta(content="c"))
        + chunk(delta(**{name: "d"}))
        + chunk(finish())
        + DONE
    )
    assert stream_answer("openai", raw).blocks == (Thinking("ab"), Text("c"), Thinking("d"))


def test_case_43_redacted_thinking_stays_opaque() -> None:
    block = {"type": "redacted_thinking", "data": "EmwKAh=="}
    raw = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        )
    )
    answer = stream_answer("anthropic", raw)
    events = sse(written("anthropic", replay(answer), ASKS_BY_CLIENT["anthropic"]))
    assert events[1][1]["content_block"] == block


def test_case_44_pings_are_pings_and_never_content() -> None:
    events = events_of(UPSTREAMS["anthropic"]().parser(), ANTHROPIC_TEXT)
    assert sum(isinstance(event, Ping) for event in events) == 1
    comments = events_of(UPSTREAMS["openai"]().parser(), b": PROCESSING\n\n" + OPENAI_TEXT)
    assert isinstance(comments[0], Ping)
    assert CLIENTS["openai"]().renderer(ASKS_BY_CLIENT["openai"]).feed(Ping()) == b": ping\n\n"
    assert CLIENTS["ollama"]().renderer(ASKS_BY_CLIENT["ollama"]).feed(Ping()) == b""
    anthropic = CLIENTS["anthropic"]().renderer(ASKS_BY_CLIENT["anthropic"])
    assert anthropic.feed(Ping()) == b""  # nothing may stand before message_start
    anthropic.feed(Start("m", "m"))
    assert sse(anthropic.feed(Ping())) == [("ping", {"type": "ping"})]


def test_case_45_unknown_events_blocks_and_deltas_are_skipped() -> None:
    future: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "weather_report", "sun": True},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_stop"},
    ]
    raw = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in future)
    parser = UPSTREAMS["anthropic"]().parser()
    events = events_of(parser, raw)
    assert events[1:-1] == [BlockStart(0, "text"), TextDelta(0, "x"), BlockStop(0)]
    assert parser.malformed == 0 and parser.finished


def test_case_46_ollama_lines() -> None:
    assert (
        CLIENTS["ollama"]().renderer(ASKS_BY_CLIENT["ollama"]).content_type
        == "application/x-ndjson"
    )
    assert parse("ollama", chat("ollama", user())).stream is True
    assert parse("ollama", chat("ollama", user(), stream=False)).stream is False
    raw = written("ollama", replay(ANSWER), ASKS_BY_CLIENT["ollama"])
    lines = ndjson(raw)
    assert raw.count(b"\n") == len(lines)
    for line in lines[:-1]:
        assert set(line) == {"model", "created_at", "message", "done"} and line["done"] is False
    last = lines[-1]
    assert last["done"] is True
    for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert isinstance(last[name], int)
    stamp = last["created_at"]
    assert stamp.endswith("Z") and len(stamp) == len("2023-08-04T08:52:19.385406455Z")
    calls = [call for line in lines for call in line["message"].get("tool_calls", ())]
    assert [c["function"]["arguments"] for c in calls] == [{"a": 1}, {}]


def test_case_46_pretty_printed_tool_input_stays_on_one_line() -> None:
    answer = Answer(
        id="i",
        model="m",
        blocks=(ToolUse("t", "f", '{\n  "a": 1.50,\n  "b": "x\\ny"\n}'),),
        stop_reason=StopReason.TOOL_USE,
    )
    raw = written("ollama", replay(answer), ASKS_BY_CLIENT["ollama"])
    assert b'"arguments":{"a":1.50,"b":"x\\ny"}' in raw
    assert len(ndjson(raw)) == 2


def test_case_46_ollama_error_line() -> None:
    raw = OLLAMA_TEXT.split(b"\n")[0] + b'\n{"error":"llama runner process has terminated"}\n'
    parser = UPSTREAMS["ollama"]().parser()
    events = events_of(parser, raw)
    last = events[-1]
    assert isinstance(last, Failed) and isinstance(last.error, UpstreamError)
    assert "terminated" not in last.error.message and "terminated" in last.error.detail
    assert parser.done and not parser.finished


@pytest.mark.parametrize(
    ("upstream", "raw"),
    [
        ("openai", b'data: {"id":"i","logprobs":[1.10],"choices":[{"delta":{"content":"x"}}]}\n\n'),
        ("anthropic", b'event: from_the_future\ndata: {"type":"from_the_future","n":1.10}\n\n'),
        ("ollama", b'{"model":"m","message":{"content":"x"},"done":false,"extra":1.10}\n'),
    ],
)
def test_case_50_pieces_hold_the_upstreams_own_bytes(upstream: str, raw: bytes) -> None:
    goldens = {"openai": OPENAI_TEXT, "anthropic": ANTHROPIC_TEXT, "ollama": OLLAMA_TEXT}
    parser = UPSTREAMS[upstream]().parser()
    data = raw + goldens[upstream]
    pieces = [*parser.feed(data), *parser.eof()]
    assert b"".join(piece.raw for piece in pieces) == data
    assert pieces[0].raw == raw
