"""Complete answers in OpenAI's format: read from an upstream, written to a client."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pihub.domain.chat import Answer, Ask, Block, StopReason, Text, Thinking, ToolUse
from pihub.domain.ports import Glance
from pihub.errors import BadRequest, UpstreamError
from pihub.protocols import logprobs
from pihub.protocols.canonical import answer_id, count, mint, restored_names, settled, texts
from pihub.protocols.faults import not_the_format
from pihub.protocols.jsontext import encode
from pihub.protocols.openai.parse import tool_use
from pihub.protocols.openai.wire import (
    AnswerMessage,
    Completion,
    WireUsage,
    read_usage,
    write_usage,
)
from pihub.protocols.thinktags import thoughtful

_DECODER = msgspec.json.Decoder(Completion)

STOPS = {
    "stop": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.REFUSAL,
}
FINISHES = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.REFUSAL: "content_filter",
    StopReason.PAUSE_TURN: "stop",
    StopReason.CONTEXT_EXCEEDED: "length",
}


def read(status: int, body: bytes) -> Answer:
    """Raises UpstreamError for a 200 that is an error, HTML, empty or no completion."""
    try:
        wire = _DECODER.decode(body)
        choice = next(c for c in wire.choices if c.index == 0)
        message = choice.message
        if message is None and choice.text is not None:
            message = AnswerMessage(choice.text)
        if message is None:
            raise not_the_format("OpenAI", status, body)
        blocks = _blocks(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, StopIteration):
        raise not_the_format("OpenAI", status, body) from None
    except BadRequest as error:
        raise UpstreamError(
            "the upstream's tool call is not valid", upstream_status=status, detail=error.message
        ) from None
    word = choice.finish_reason or ""
    has_tools = any(isinstance(block, ToolUse) for block in blocks)
    return Answer(
        id=wire.id or mint("chatcmpl-"),
        model=wire.model or "",
        blocks=blocks,
        stop_reason=settled(STOPS.get(word, StopReason.END_TURN), has_tools=has_tools),
        raw_stop=word,
        usage=read_usage(wire.usage) if wire.usage is not None else None,
        created=count(wire.created),
        logprobs=logprobs.read(choice.logprobs),
    )


class _LightChoice(msgspec.Struct):
    index: int = 0
    text: msgspec.Raw = msgspec.Raw()
    finish_reason: str | None = None
    message: msgspec.Raw = msgspec.Raw()


class _Light(msgspec.Struct):
    choices: list[_LightChoice]
    usage: WireUsage | None = None


_LIGHT = msgspec.json.Decoder(_Light)


def glance(status: int, body: bytes) -> Glance:
    """As `read`, but the message stays unread."""
    try:
        wire = _LIGHT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_the_format("OpenAI", status, body) from None
    for choice in wire.choices:
        if choice.index == 0:
            break
    else:
        raise not_the_format("OpenAI", status, body)
    if all(bytes(raw) in (b"", b"null") for raw in (choice.message, choice.text)):
        raise not_the_format("OpenAI", status, body)
    usage = read_usage(wire.usage) if wire.usage is not None else None
    return Glance(usage, choice.finish_reason or "")


def _blocks(message: AnswerMessage) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if thought := message.reasoning_content or message.reasoning:
        blocks.append(Thinking(thought))
    content = message.content
    if isinstance(content, str):
        blocks += thoughtful(content)
    elif content is not None:
        blocks += [Text(part.text) for part in content if part.type == "text" and part.text]
    if message.refusal:
        blocks.append(Text(message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        use = tool_use(call, f"tool_calls[{index}]")
        blocks.append(use if use.id else ToolUse(mint("call_"), use.name, use.input))
    if message.function_call is not None and message.function_call.name:
        blocks.append(
            ToolUse(
                mint("call_"), message.function_call.name, message.function_call.arguments or "{}"
            )
        )
    return tuple(blocks)


def write(answer: Answer, ask: Ask) -> bytes:
    """A `chat.completion` object."""
    names = restored_names(ask)
    thought = "".join(block.text for block in answer.blocks if isinstance(block, Thinking))
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": names.get(block.name, block.name), "arguments": block.input},
        }
        for block in answer.blocks
        if isinstance(block, ToolUse)
    ]
    text = texts(answer.blocks)
    told = answer.logprobs if ask.logprobs else ()
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if calls and not text else text,
        "refusal": None,
    }
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    body: dict[str, Any] = {
        "id": answer_id("chatcmpl-", answer.id),
        "object": "chat.completion",
        "created": answer.created or int(time.time()),
        "model": answer.model or ask.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": logprobs.chat(told) if told else None,
                "finish_reason": FINISHES[answer.stop_reason],
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return encode(body)
