"""The parts of Ollama's JSON that are read, as types. What is not read is not listed."""

from __future__ import annotations

import msgspec

from pihub.domain.chat import Usage
from pihub.protocols.canonical import count
from pihub.protocols.jsontext import Int64, Scalar

RAW_NONE = msgspec.Raw(b"")


# ---- requests ----------------------------------------------------------------------


class Function(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = RAW_NONE


class ToolCall(msgspec.Struct):
    function: Function | None = None
    id: str = ""


class WireMessage(msgspec.Struct):
    role: str = ""
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class ToolFunction(msgspec.Struct):
    name: str = ""
    description: str | None = None
    parameters: msgspec.Raw = RAW_NONE


class Tool(msgspec.Struct):
    type: str | None = None
    function: ToolFunction | None = None


class ChatRequest(msgspec.Struct):
    model: str
    messages: list[WireMessage] | None = None
    stream: bool | None = None
    format: msgspec.Raw = RAW_NONE
    options: dict[str, Scalar | list[Scalar]] | None = None
    keep_alive: str | Int64 | float | None = None
    tools: list[Tool] | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: Int64 | None = None


class ExactRequest(ChatRequest, forbid_unknown_fields=True):
    pass


# ---- answers and stream lines ------------------------------------------------------


class Line(msgspec.Struct):
    """One answer, or one line of a stream."""

    model: str = ""
    created_at: str = ""
    message: WireMessage | None = None
    response: str | None = None
    """Of /api/generate, which has no message."""
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    logprobs: msgspec.Raw = RAW_NONE
    error: msgspec.Raw = RAW_NONE


def message_of(line: Line) -> WireMessage | None:
    """The message of a line of either endpoint, None if it has none."""
    if line.message is None and line.response is not None:
        return WireMessage("assistant", line.response, line.thinking)
    return line.message


DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
"""Nanoseconds."""


def read_usage(line: Line) -> Usage | None:
    """None if the upstream told neither count; a prompt that was served from the KV cache
    may come without its count."""
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    return Usage(input=count(line.prompt_eval_count), output=count(line.eval_count))


def read_timings(line: Line) -> dict[str, int]:
    return {name: count(value) for name in DURATIONS if (value := getattr(line, name)) is not None}


def write_end(usage: Usage | None, timings: dict[str, int], elapsed_ns: int) -> dict[str, int]:
    """The durations and counts of a last line; unknown durations are 0, except the whole."""
    total = timings.get("total_duration", elapsed_ns)
    wire = {"total_duration": total, "load_duration": timings.get("load_duration", 0)}
    if usage is not None:
        wire["prompt_eval_count"] = (
            usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        )
    wire["prompt_eval_duration"] = timings.get("prompt_eval_duration", 0)
    if usage is not None:
        wire["eval_count"] = usage.output
    wire["eval_duration"] = timings.get("eval_duration", total)
    return wire
