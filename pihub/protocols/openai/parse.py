"""An OpenAI request body to the canonical form."""

from __future__ import annotations

from typing import Any, Literal

from pihub.domain.chat import (
    Ask,
    Block,
    Document,
    Image,
    Message,
    ResponseFormat,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from pihub.domain.chat import Tool as CanonicalTool
from pihub.errors import BadRequest
from pihub.protocols import logprobs
from pihub.protocols.canonical import check, from_data_uri, image_from_url
from pihub.protocols.jsontext import BodyDecoder, at, json_object
from pihub.protocols.openai.wire import ChatMessage, ChatRequest, ExactRequest, Part, ToolCall

_DECODER: BodyDecoder[ChatRequest] = BodyDecoder(ExactRequest, ChatRequest)


def parse(body: bytes) -> Ask:
    """Raises BadRequest for what is malformed; what has no canonical field is `extra`."""
    wire, extra = _DECODER.decode(body)
    if extra.get("store") == "false":
        del extra["store"]
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    if not wire.messages:
        raise BadRequest("messages: must not be empty", param="messages")
    limit = wire.max_completion_tokens
    if limit is None:
        limit = wire.max_tokens
    if limit is not None and limit < 1:
        raise BadRequest("max_tokens: must be at least 1", param="max_tokens")
    check(wire.temperature, 0, 2, "temperature")
    check(wire.top_p, 0, 1, "top_p")
    if wire.n is not None and wire.n != 1:
        extra["n"] = str(wire.n)
    stop = wire.stop
    weighs, top = logprobs.wanted(wire.logprobs, wire.top_logprobs)
    system, messages = _Messages(body, extra).read(wire.messages)
    effort = wire.reasoning_effort
    return Ask(
        model=wire.model,
        messages=messages,
        system=system,
        max_tokens=limit,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        logprobs=weighs,
        top_logprobs=top,
        tools=_tools(wire, body, extra) if wire.tools else (),
        tool_choice=_tool_choice(wire, body, extra),
        response_format=_format(wire) if wire.response_format is not None else None,
        reasoning_effort=None if effort == "none" else effort,
        thinking="disabled" if effort == "none" else None,
        stream=bool(wire.stream),
        include_usage=wire.stream_options is not None and bool(wire.stream_options.include_usage),
        user=wire.user or "",
        extra=extra,
    )


class _Messages:
    """Folds the flat list of OpenAI messages into system texts and turns."""

    def __init__(self, body: bytes, extra: dict[str, str]) -> None:
        self.body = body
        self.extra = extra

    def read(self, wires: list[ChatMessage]) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
        system: list[Text] = []
        turns: list[Message] = []
        results: list[ToolResult] = []
        for index, wire in enumerate(wires):
            role = wire.role
            if role == "tool":
                if not wire.tool_call_id:
                    param = f"messages[{index}].tool_call_id"
                    raise BadRequest(f"{param}: missing", param=param)
                results.append(ToolResult(wire.tool_call_id, self.result_parts(wire, index)))
                continue
            if results:  # parallel results are one turn
                turns.append(Message("user", tuple(results)))
                results = []
            if wire.name is not None:
                self.extra[f"messages[{index}].name"] = at(self.body, "messages", index, "name")
            if role == "user":
                turns.append(Message("user", self.content(wire, index)))
            elif role == "assistant":
                turns.append(Message("assistant", self.assistant(wire, index)))
            elif role in ("system", "developer"):
                for block in self.content(wire, index):
                    if not isinstance(block, Text):
                        raise BadRequest("system messages hold only text", param="messages")
                    system.append(block)
            else:
                param = f"messages[{index}].role"
                raise BadRequest(f"{param}: not a known role", param=param)
        if results:
            turns.append(Message("user", tuple(results)))
        return tuple(system), tuple(turns)

    def content(self, wire: ChatMessage, index: int) -> tuple[Block, ...]:
        content = wire.content
        if isinstance(content, str):
            return (Text(content),) if content else ()
        if content is None:
            return ()
        return tuple(
            block
            for position, part in enumerate(content)
            if (block := self.part(part, index, position)) is not None
        )

    def part(self, part: Part, index: int, position: int) -> Block | None:
        where = f"messages[{index}].content[{position}]"
        if part.type == "text":
            return Text(part.text, part.cache_control)
        if part.type == "image_url" and part.image_url is not None:
            url = part.image_url
            if isinstance(url, str):
                return image_from_url(url, where)
            if url.detail not in (None, "auto"):
                self.extra[where + ".detail"] = at(
                    self.body, "messages", index, "content", position, "image_url", "detail"
                )
            return image_from_url(url.url, where)
        if part.type == "refusal":
            return Text(part.refusal)
        if part.type == "file" and part.file is not None and part.file.file_data:
            media_type, data = from_data_uri(part.file.file_data, where)
            return Document(media_type=media_type, data=data, title=part.file.filename)
        self.extra[where] = at(self.body, "messages", index, "content", position)
        return None

    def result_parts(self, wire: ChatMessage, index: int) -> tuple[Text | Image, ...]:
        parts: list[Text | Image] = []
        for block in self.content(wire, index):
            if not isinstance(block, Text | Image):
                raise BadRequest(
                    f"messages[{index}].content: a tool result holds text or images",
                    param=f"messages[{index}].content",
                )
            parts.append(block)
        return tuple(parts)

    def assistant(self, wire: ChatMessage, index: int) -> tuple[Block, ...]:
        blocks: list[Block] = []
        if thought := wire.reasoning_content or wire.reasoning:
            blocks.append(Thinking(thought))
        blocks += self.content(wire, index)
        if wire.refusal:
            blocks.append(Text(wire.refusal))
        for position, call in enumerate(wire.tool_calls or ()):
            where = f"messages[{index}].tool_calls[{position}]"
            if call.type != "function" or call.function is None:
                self.extra[where] = at(self.body, "messages", index, "tool_calls", position)
                continue
            blocks.append(tool_use(call, where))
        return tuple(blocks)


def tool_use(call: ToolCall, where: str) -> ToolUse:
    """A function call with its arguments checked to be an object. Raises BadRequest."""
    function = call.function
    if function is None or not function.name:
        raise BadRequest(f"{where}.function.name: missing", param=f"{where}.function.name")
    return ToolUse(
        call.id, function.name, json_object(function.arguments, f"{where}.function.arguments")
    )


def _tools(wire: ChatRequest, body: bytes, extra: dict[str, str]) -> tuple[CanonicalTool, ...]:
    tools: list[CanonicalTool] = []
    for index, tool in enumerate(wire.tools or ()):
        function = tool.function
        if tool.type != "function" or function is None:
            extra[f"tools[{index}]"] = at(body, "tools", index)
            continue
        schema = bytes(function.parameters).decode()
        param = f"tools[{index}].function.parameters"
        tools.append(
            CanonicalTool(
                function.name,
                function.description or "",
                "{}" if schema in ("", "null") else json_object(schema, param),
                tool.cache_control,
                bool(function.strict),
            )
        )
    return tuple(tools)


_MODES: dict[str, Literal["auto", "none", "any"]] = {
    "auto": "auto",
    "none": "none",
    "required": "any",
}


def _tool_choice(wire: ChatRequest, body: bytes, extra: dict[str, Any]) -> ToolChoice | None:
    parallel = wire.parallel_tool_calls is not False
    choice = wire.tool_choice
    if choice is None:
        return None if parallel else ToolChoice(parallel=False)
    if isinstance(choice, str):
        if choice not in _MODES:
            raise BadRequest("tool_choice: not a known mode", param="tool_choice")
        return ToolChoice(_MODES[choice], parallel=parallel)
    if choice.type == "function" and choice.function is not None:
        return ToolChoice("tool", choice.function.name, parallel)
    extra["tool_choice"] = at(body, "tool_choice")
    return None


def _format(wire: ChatRequest) -> ResponseFormat:
    wanted = wire.response_format
    if wanted is None or wanted.type == "text":
        return ResponseFormat()
    if wanted.type == "json_object":
        return ResponseFormat("json_object")
    schema = wanted.json_schema
    if wanted.type == "json_schema" and schema is not None:
        text = bytes(schema.schema).decode()
        if text:
            return ResponseFormat(
                "json_schema",
                schema.name,
                json_object(text, "response_format.json_schema.schema"),
                bool(schema.strict),
            )
    raise BadRequest("response_format: not a known format", param="response_format")
