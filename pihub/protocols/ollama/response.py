"""Complete answers in Ollama's format: read from an upstream, written to a client."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pihub.domain.chat import Answer, Ask, Block, StopReason, Thinking, ToolUse
from pihub.protocols import logprobs
from pihub.protocols.canonical import mint, restored_names, settled, texts, unix_seconds
from pihub.protocols.faults import not_the_format
from pihub.protocols.jsontext import encode, raw
from pihub.protocols.ollama.wire import (
    Line,
    WireMessage,
    message_of,
    read_timings,
    read_usage,
    write_end,
)
from pihub.protocols.thinktags import thoughtful

_DECODER = msgspec.json.Decoder(Line)

STOPS = {
    "stop": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "load": StopReason.END_TURN,
    "unload": StopReason.END_TURN,
}
DONE_REASONS = {
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_EXCEEDED: "length",
}
"""Everything else is `stop`."""


def read(status: int, body: bytes) -> Answer:
    """Raises UpstreamError for a 200 that is an error, HTML, empty or not complete."""
    try:
        line = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_the_format("Ollama", status, body) from None
    message = message_of(line)
    if message is None or not line.done:
        raise not_the_format("Ollama", status, body)
    blocks = _blocks(message)
    word = line.done_reason or ""
    has_tools = any(isinstance(block, ToolUse) for block in blocks)
    return Answer(
        id=mint("chatcmpl-"),
        model=line.model,
        blocks=blocks,
        stop_reason=settled(STOPS.get(word, StopReason.END_TURN), has_tools=has_tools),
        raw_stop=word,
        usage=read_usage(line),
        created=unix_seconds(line.created_at),
        logprobs=logprobs.read(line.logprobs),
        timings=read_timings(line),
    )


def _blocks(message: WireMessage) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if message.thinking:
        blocks.append(Thinking(message.thinking))
    blocks += thoughtful(message.content or "")
    for call in message.tool_calls or ():
        if call.function is not None and call.function.name:
            text = bytes(call.function.arguments).decode()
            blocks.append(
                ToolUse(
                    call.id or mint("call_"),
                    call.function.name,
                    "{}" if text in ("", "null") else text,
                )
            )
    return tuple(blocks)


def write(answer: Answer, ask: Ask) -> bytes:
    """One object with `done: true`."""
    names = restored_names(ask)
    message: dict[str, Any] = {"role": "assistant", "content": texts(answer.blocks)}
    thought = "".join(block.text for block in answer.blocks if isinstance(block, Thinking))
    if thought:
        message["thinking"] = thought
    calls = [
        call_of(block.id, names.get(block.name, block.name), block.input)
        for block in answer.blocks
        if isinstance(block, ToolUse)
    ]
    if calls:
        message["tool_calls"] = calls
    body: dict[str, Any] = {
        "model": answer.model or ask.model,
        "created_at": nano_time(answer.created),
        "message": message,
        "done": True,
        "done_reason": done_reason(answer.stop_reason, answer.raw_stop),
        **write_end(answer.usage, answer.timings, 0),
    }
    if answer.logprobs and ask.logprobs:
        body["logprobs"] = logprobs.plain(answer.logprobs)
    return encode(body)


def call_of(id_: str, name: str, text: str) -> dict[str, Any]:
    return {"id": id_, "function": {"name": name, "arguments": raw(text)}}


def done_reason(reason: StopReason, raw_stop: str) -> str:
    if raw_stop in ("load", "unload") and reason is StopReason.END_TURN:
        return raw_stop
    return DONE_REASONS.get(reason, "stop")


def nano_time(created: int) -> str:
    """RFC 3339 in UTC with nanoseconds, as Go prints it; now if `created` is 0."""
    seconds, nanos = (created, 0) if created else divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09d}Z"
