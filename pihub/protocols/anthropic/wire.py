"""The parts of Anthropic's JSON that are read, as types. What is not read is not listed."""

from __future__ import annotations

from typing import Any

import msgspec

from pihub.domain.chat import Usage
from pihub.protocols.canonical import count
from pihub.protocols.jsontext import Int64, Scalar

VERSION = "2023-06-01"
RAW_NONE = msgspec.Raw(b"")
CacheControl = dict[str, Scalar] | None


# ---- requests ----------------------------------------------------------------------


class Source(msgspec.Struct):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""


class Block(msgspec.Struct):
    """Any content block; which fields count depends on `type`."""

    type: str
    text: str = ""
    source: Source | None = None
    title: str | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = RAW_NONE
    tool_use_id: str = ""
    content: msgspec.Raw = RAW_NONE
    is_error: bool | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""
    cache_control: CacheControl = None


class WireMessage(msgspec.Struct):
    role: str
    content: str | list[Block]


class Tool(msgspec.Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = RAW_NONE
    cache_control: CacheControl = None
    strict: bool | None = None


class Choice(msgspec.Struct):
    type: str
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct):
    type: str
    budget_tokens: Int64 | None = None
    display: str | None = None


class OutputFormat(msgspec.Struct):
    type: str
    schema: msgspec.Raw = RAW_NONE


class OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: OutputFormat | None = None
    task_budget: msgspec.Raw = RAW_NONE


class Metadata(msgspec.Struct):
    user_id: str | None = None


class MessagesRequest(msgspec.Struct):
    model: str
    messages: list[WireMessage]
    max_tokens: Int64
    system: str | list[Block] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    stop_sequences: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None


class ExactRequest(MessagesRequest, forbid_unknown_fields=True):
    pass


# ---- usage -------------------------------------------------------------------------


class CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class WireUsage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None


def merge_usage(old: Usage | None, wire: WireUsage) -> Usage:
    """Usage is cumulative: what a later report says is set, what it omits stays."""
    was = old if old is not None else Usage()
    long = short = None
    if (split := wire.cache_creation) is not None:
        long, short = split.ephemeral_1h_input_tokens, split.ephemeral_5m_input_tokens
    if (written := wire.cache_creation_input_tokens) is not None and short is None:
        short = max(0, written - (long if long is not None else was.cache_write_1h))
    thinking = wire.output_tokens_details
    return Usage(
        input=_either(wire.input_tokens, was.input),
        output=_either(wire.output_tokens, was.output),
        cache_read=_either(wire.cache_read_input_tokens, was.cache_read),
        cache_write_5m=_either(short, was.cache_write_5m),
        cache_write_1h=_either(long, was.cache_write_1h),
        reasoning=_either(thinking.thinking_tokens if thinking else None, was.reasoning),
    )


def _either(new: int | None, old: int) -> int:
    return old if new is None else count(new)


def write_usage(usage: Usage) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
    }
    if usage.cache_write_1h:
        wire["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    wire["output_tokens"] = usage.output
    return wire


# ---- answers and events ------------------------------------------------------------


class WireAnswer(msgspec.Struct):
    content: list[Block]
    type: str = "message"
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: WireUsage | None = None


class StartMessage(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: WireUsage | None = None


class EventDelta(msgspec.Struct):
    """The delta of content_block_delta (by `type`) or of message_delta."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class StreamEvent(msgspec.Struct):
    type: str
    index: int = 0
    message: StartMessage | None = None
    content_block: Block | None = None
    delta: EventDelta | None = None
    usage: WireUsage | None = None
