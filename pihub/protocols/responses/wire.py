"""The parts of a Responses request that are read, as types."""

from __future__ import annotations

import msgspec

from pihub.protocols.jsontext import Int64

RAW_NONE = msgspec.Raw(b"")


class Part(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    file_data: str | None = None
    filename: str | None = None


class Item(msgspec.Struct):
    """Any input item; which fields count depends on `type`."""

    type: str = "message"
    role: str = ""
    content: str | list[Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str | list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None


class Tool(msgspec.Struct):
    type: str
    name: str = ""
    description: str | None = None
    parameters: msgspec.Raw = RAW_NONE
    strict: bool | None = None


class Choice(msgspec.Struct):
    type: str
    name: str = ""


class Format(msgspec.Struct):
    type: str
    name: str = ""
    schema: msgspec.Raw = RAW_NONE
    strict: bool | None = None


class TextConfig(msgspec.Struct):
    format: Format | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class ResponsesRequest(msgspec.Struct):
    model: str
    input: msgspec.Raw = RAW_NONE
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    max_output_tokens: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    top_logprobs: Int64 | None = None
    user: str | None = None


class ExactRequest(ResponsesRequest, forbid_unknown_fields=True):
    pass
