"""Complete answers in Anthropic's format: read from an upstream, written to a client."""

from __future__ import annotations

from typing import Any

import msgspec

from pihub.domain.chat import (
    Answer,
    Ask,
    Block,
    RedactedThinking,
    StopReason,
    Text,
    Thinking,
    ToolUse,
)
from pihub.domain.ports import Glance
from pihub.protocols.anthropic import wire as w
from pihub.protocols.canonical import answer_id, mint, restored_names
from pihub.protocols.faults import not_the_format
from pihub.protocols.jsontext import encode, raw

_DECODER = msgspec.json.Decoder(w.WireAnswer)

STOPS = {reason.value: reason for reason in StopReason}


def read(status: int, body: bytes) -> Answer:
    """Raises UpstreamError for a 200 that is an error, HTML, empty or no message."""
    try:
        wire = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_the_format("Anthropic", status, body) from None
    if wire.type != "message":
        raise not_the_format("Anthropic", status, body)
    blocks = tuple(found for block in wire.content if (found := _block(block)) is not None)
    word = wire.stop_reason or ""
    return Answer(
        id=wire.id or mint("msg_"),
        model=wire.model,
        blocks=blocks,
        stop_reason=STOPS.get(word, StopReason.END_TURN),
        stop_sequence=wire.stop_sequence,
        raw_stop=word,
        usage=w.merge_usage(None, wire.usage) if wire.usage is not None else None,
    )


class _Light(msgspec.Struct):
    type: str
    content: msgspec.Raw
    stop_reason: str | None = None
    usage: w.WireUsage | None = None


_LIGHT = msgspec.json.Decoder(_Light)


def glance(status: int, body: bytes) -> Glance:
    """As `read`, but the content stays unread."""
    try:
        wire = _LIGHT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_the_format("Anthropic", status, body) from None
    if wire.type != "message":
        raise not_the_format("Anthropic", status, body)
    usage = w.merge_usage(None, wire.usage) if wire.usage is not None else None
    return Glance(usage, wire.stop_reason or "")


def _block(block: w.Block) -> Block | None:
    if block.type == "text":
        return Text(block.text)
    if block.type == "tool_use":
        return ToolUse(block.id, block.name, bytes(block.input).decode() or "{}")
    if block.type == "thinking":
        return Thinking(block.thinking, block.signature)
    if block.type == "redacted_thinking":
        return RedactedThinking(block.data)
    return None  # server tools and newer kinds: only a pass-through carries them


def write(answer: Answer, ask: Ask) -> bytes:
    """A `message` object."""
    names = restored_names(ask)
    content: list[dict[str, Any]] = []
    for block in answer.blocks:
        if isinstance(block, Text):
            content.append({"type": "text", "text": block.text})
        elif isinstance(block, ToolUse):
            name = names.get(block.name, block.name)
            content.append(
                {"type": "tool_use", "id": block.id, "name": name, "input": raw(block.input)}
            )
        elif isinstance(block, Thinking):
            content.append(
                {"type": "thinking", "thinking": block.text, "signature": block.signature}
            )
        elif isinstance(block, RedactedThinking):
            content.append({"type": "redacted_thinking", "data": block.data})
    body: dict[str, Any] = {
        "id": answer_id("msg_", answer.id),
        "type": "message",
        "role": "assistant",
        "model": answer.model or ask.model,
        "content": content,
        "stop_reason": answer.stop_reason.value,
        "stop_sequence": answer.stop_sequence,
        "usage": w.write_usage(answer.usage)
        if answer.usage is not None
        else {"input_tokens": 0, "output_tokens": 0},
    }
    return encode(body)
