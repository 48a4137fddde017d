"""Streams that break, stop early or say too much."""

from __future__ import annotations

from typing import Any

import pytest

from pihub.domain.chat import StopReason, Text
from pihub.domain.stream import (
    BlockStart,
    Failed,
    Finish,
    Ping,
    SignatureDelta,
    Start,
    ThinkingDelta,
)
from pihub.errors import UpstreamBusy, UpstreamError, UpstreamIncomplete
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from tests.protocols.carry import ASKS_BY_CLIENT, events_of, sse, stream_answer
from tests.protocols.chunks import DONE, chunk, delta, finish
from tests.protocols.goldens import ANTHROPIC_TEXT, OLLAMA_TEXT, OPENAI_TEXT

GOLDEN = {"openai": OPENAI_TEXT, "anthropic": ANTHROPIC_TEXT, "ollama": OLLAMA_TEXT}


@pytest.mark.parametrize("upstream", ["openai", "anthropic", "ollama"])
def test_a_stream_without_its_terminal_marker_is_incomplete(upstream: str) -> None:
    raw = GOLDEN[upstream]
    marker = {"openai": b'"finish_reason":"stop"', "anthropic": b"event: message_stop"}
    cut = raw.rindex(marker.get(upstream, b'"done":true'))
    parser = UPSTREAMS[upstream]().parser()
    events = events_of(parser, raw[:cut])
    assert not parser.finished and not any(isinstance(event, Finish) for event in events)
    with pytest.raises(UpstreamIncomplete):
        stream_answer(upstream, raw[:cut])


def test_done_alone_does_not_complete_an_openai_stream() -> None:
    raw = chunk(delta(content="half")) + DONE
    parser = UPSTREAMS["openai"]().parser()
    events_of(parser, raw)
    assert parser.done and not parser.finished
    with pytest.raises(UpstreamIncomplete):
        stream_answer("openai", raw)


@pytest.mark.parametrize("upstream", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize("junk", [b"{broken", b'{"type":7,"choices":7,"message":7}', b"\xff\xfe"])
def test_one_malformed_event_is_skipped_and_counted(upstream: str, junk: bytes) -> None:
    raw = GOLDEN[upstream]
    event = junk + b"\n" if upstream == "ollama" else b"data: " + junk + b"\n\n"
    separator = b"\n" if upstream == "ollama" else b"\n\n"
    at = raw.index(separator) + len(separator)
    parser = UPSTREAMS[upstream]().parser()
    pieces = parser.feed(raw[:at] + event + raw[at:])
    events = [e for piece in pieces for e in piece.events]
    assert parser.malformed == 1 and parser.finished
    # What is no JSON would break a client too; another shape it may well understand.
    handed_on = raw[:at] + event + raw[at:] if junk.endswith(b"7}") else raw
    assert b"".join(piece.raw for piece in pieces) == handed_on
    clean = events_of(UPSTREAMS[upstream]().parser(), raw)
    assert strip(events) == strip(clean)


def strip(events: list[Any]) -> list[Any]:
    return [event for event in events if not isinstance(event, Start | Ping)]


@pytest.mark.parametrize("upstream", ["openai", "anthropic", "ollama"])
def test_a_duplicate_terminal_is_ignored(upstream: str) -> None:
    raw = GOLDEN[upstream]
    events = events_of(UPSTREAMS[upstream]().parser(), raw + raw, range(0, len(raw), 7))
    assert sum(isinstance(event, Finish) for event in events) == 1
    assert isinstance(events[-1], Finish)
    twice = chunk(delta(content="x")) + chunk(finish()) + chunk(finish("length")) + DONE
    assert stream_answer("openai", twice).stop_reason is StopReason.END_TURN


@pytest.mark.parametrize(
    ("upstream", "event", "kind"),
    [
        (
            "openai",
            b'data: {"error":{"message":"sk-abcdefgh123 bad","type":"server_error"}}\n\n',
            UpstreamError,
        ),
        ("openai", b'event: error\ndata: {"error":"boom"}\n\n', UpstreamError),
        ("openai", b'data: {"error":{"type":"rate_limit_error"}}\n\n', UpstreamBusy),
        (
            "anthropic",
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
            UpstreamBusy,
        ),
        ("anthropic", b"event: error\ndata: not json\n\n", UpstreamError),
        ("ollama", b'{"error":"out of memory"}\n', UpstreamError),
        ("ollama", b'{"error":{"message":"x","type":"api_error"}}\n', UpstreamError),
    ],
)
def test_an_error_event_ends_the_stream(
    upstream: str, event: bytes, kind: type[UpstreamError]
) -> None:
    raw = GOLDEN[upstream]
    separator = b"\n" if upstream == "ollama" else b"\n\n"
    at = raw.index(separator) + len(separator)
    parser = UPSTREAMS[upstream]().parser()
    events = events_of(parser, raw[:at] + event + raw[at:])
    last = events[-1]
    assert isinstance(last, Failed) and type(last.error) is kind
    assert parser.done and not parser.finished
    assert "sk-abcdefgh" not in last.error.detail


def test_openai_finish_before_a_broken_end_is_complete() -> None:
    raw = chunk(delta(content="x")) + chunk(finish())
    parser = UPSTREAMS["openai"]().parser()
    assert not any(isinstance(e, Finish) for p in parser.feed(raw) for e in p.events)
    assert parser.finished and not parser.done
    assert isinstance(parser.eof()[-1].events[0], Finish)
    assert parser.done and parser.eof() == []


def test_other_choices_are_not_mixed_into_the_first() -> None:
    raw = (
        chunk({"index": 1, "delta": {"content": "other"}}, delta(content="mine"))
        + chunk({"index": 1, "delta": {}, "finish_reason": "stop"})
        + chunk(delta(content="!"))
        + chunk(finish())
        + DONE
    )
    assert stream_answer("openai", raw).blocks == (Text("mine!"),)


def test_signature_and_thinking_deltas_reach_only_their_block() -> None:
    renderer = CLIENTS["anthropic"]().renderer(ASKS_BY_CLIENT["anthropic"])
    renderer.feed(Start("m", "m"))
    renderer.feed(BlockStart(0, "thinking"))
    out = sse(renderer.feed(ThinkingDelta(0, "a")) + renderer.feed(SignatureDelta(0, "s")))
    assert [d["delta"] for _, d in out] == [
        {"type": "thinking_delta", "thinking": "a"},
        {"type": "signature_delta", "signature": "s"},
    ]
