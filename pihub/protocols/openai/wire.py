"""The parts of OpenAI's JSON that are read, as types. What is not read is not listed."""

from __future__ import annotations

from typing import Any

import msgspec

from pihub.domain.chat import Usage
from pihub.protocols.canonical import count
from pihub.protocols.jsontext import Int64, Scalar

RAW_NONE = msgspec.Raw(b"")


# ---- requests ----------------------------------------------------------------------


class FunctionCall(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class ToolCall(msgspec.Struct):
    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None


class ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class File(msgspec.Struct):
    file_data: str = ""
    filename: str = ""
    file_id: str = ""


class Part(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | str | None = None
    file: File | None = None
    cache_control: dict[str, Scalar] | None = None


class ChatMessage(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str = ""
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = RAW_NONE
    strict: bool | None = None


class Tool(msgspec.Struct):
    type: str = "function"
    function: Function | None = None
    cache_control: dict[str, Scalar] | None = None


class FunctionName(msgspec.Struct):
    name: str


class NamedChoice(msgspec.Struct):
    type: str
    function: FunctionName | None = None


class JsonSchema(msgspec.Struct):
    name: str = ""
    schema: msgspec.Raw = RAW_NONE
    strict: bool | None = None


class Format(msgspec.Struct):
    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct):
    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Int64 | None = None
    max_completion_tokens: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    stop: str | list[str] | None = None
    seed: Int64 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: Int64 | None = None
    logprobs: bool | None = None
    top_logprobs: Int64 | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    reasoning_effort: str | None = None
    user: str | None = None


class ExactRequest(ChatRequest, forbid_unknown_fields=True):
    pass


# ---- usage -------------------------------------------------------------------------


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


def read_usage(wire: WireUsage) -> Usage:
    """OpenAI's prompt_tokens include the cached ones; the canonical input does not."""
    cached = written = reasoning = 0
    if (prompt := wire.prompt_tokens_details) is not None:
        cached = count(prompt.cached_tokens)
        written = count(prompt.cache_write_tokens)
    if (completion := wire.completion_tokens_details) is not None:
        reasoning = count(completion.reasoning_tokens)
    return Usage(
        input=max(0, count(wire.prompt_tokens) - cached - written),
        output=count(wire.completion_tokens),
        cache_read=cached,
        cache_write_5m=written,
        reasoning=reasoning,
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    wire: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    }
    if usage.reasoning:
        wire["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return wire


# ---- answers -----------------------------------------------------------------------


class AnswerMessage(msgspec.Struct):
    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None


class AnswerChoice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    """Of a completion that is no chat."""
    message: AnswerMessage | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = RAW_NONE


class Completion(msgspec.Struct):
    choices: list[AnswerChoice]
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: WireUsage | None = None


# ---- stream chunks -----------------------------------------------------------------


class FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolDelta] | None = None


class ChunkChoice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    delta: Delta | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = RAW_NONE


class Chunk(msgspec.Struct):
    choices: list[ChunkChoice] | None = None
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = RAW_NONE
