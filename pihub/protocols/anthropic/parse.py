"""An Anthropic request body to the canonical form."""

from __future__ import annotations

from typing import Literal

import msgspec

from pihub.domain.chat import (
    Ask,
    Document,
    Image,
    Message,
    RedactedThinking,
    ResponseFormat,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from pihub.domain.chat import Block as CanonicalBlock
from pihub.domain.chat import Tool as CanonicalTool
from pihub.errors import BadRequest
from pihub.protocols.anthropic.wire import (
    Block,
    ExactRequest,
    MessagesRequest,
    WireMessage,
)
from pihub.protocols.canonical import check, image_from_data
from pihub.protocols.jsontext import BodyDecoder, at, bad_json, json_object

_DECODER: BodyDecoder[MessagesRequest] = BodyDecoder(ExactRequest, MessagesRequest)
_RESULT: msgspec.json.Decoder[str | list[Block] | None] = msgspec.json.Decoder(
    str | list[Block] | None
)

_ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}

BILLING = "x-anthropic-billing-header:"
"""Claude Code puts a system block with a changing nonce first. It means nothing to other
upstreams and would split caches, so the canonical form leaves it out; Anthropic itself
gets the client's own bytes."""


def parse(body: bytes) -> Ask:
    """Raises BadRequest for what is malformed; what has no canonical field is `extra`."""
    wire, extra = _DECODER.decode(body)
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    if not wire.messages:
        raise BadRequest("messages: must not be empty", param="messages")
    if wire.max_tokens < 0:
        raise BadRequest("max_tokens: must not be negative", param="max_tokens")
    check(wire.temperature, 0, 1, "temperature")
    check(wire.top_p, 0, 1, "top_p")
    reader = _Reader(body, extra)
    system = reader.system(wire.system)
    messages = tuple(
        message
        for index, item in enumerate(wire.messages)
        if (message := reader.message(item, index, system)) is not None
    )
    thinking, budget = _thinking(wire, extra)
    output = wire.output_config
    if output is not None and bytes(output.task_budget) not in (b"", b"null"):
        extra["output_config.task_budget"] = bytes(output.task_budget).decode()
    return Ask(
        model=wire.model,
        messages=messages,
        system=tuple(system),
        max_tokens=wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=tuple(wire.stop_sequences) if wire.stop_sequences else (),
        tools=_tools(wire, body, extra) if wire.tools else (),
        tool_choice=_tool_choice(wire) if wire.tool_choice is not None else None,
        response_format=_format(wire),
        reasoning_effort=output.effort if output is not None else None,
        thinking=thinking,
        thinking_budget=budget,
        stream=bool(wire.stream),
        include_usage=True,
        user=(wire.metadata.user_id or "") if wire.metadata is not None else "",
        extra=extra,
    )


class _Reader:
    """Content blocks to canonical blocks; remembers where they stood."""

    def __init__(self, body: bytes, extra: dict[str, str]) -> None:
        self.body = body
        self.extra = extra

    def system(self, wire: str | list[Block] | None) -> list[Text]:
        if wire is None or isinstance(wire, str):
            return [Text(wire)] if wire else []
        found = []
        for index, block in enumerate(wire):
            if block.type != "text":
                raise BadRequest(f"system[{index}]: must be text", param=f"system[{index}]")
            if not block.text.startswith(BILLING):
                found.append(Text(block.text, block.cache_control))
        return found

    def message(self, wire: WireMessage, index: int, system: list[Text]) -> Message | None:
        if wire.role == "system":  # in mid-conversation: joins the others, in order
            system += self.system(wire.content)
            return None
        role = _ROLES.get(wire.role)
        if role is None:
            param = f"messages[{index}].role"
            raise BadRequest(f"{param}: must be user or assistant", param=param)
        content = wire.content
        if isinstance(content, str):
            return Message(role, (Text(content),) if content else ())
        blocks = tuple(
            found
            for position, block in enumerate(content)
            if (found := self.block(block, index, position)) is not None
        )
        return Message(role, blocks)

    def block(self, block: Block, index: int, position: int) -> CanonicalBlock | None:
        kind = block.type
        if kind == "text":
            return Text(block.text, block.cache_control)
        where = f"messages[{index}].content[{position}]"
        if kind == "tool_use":
            if not block.id or not block.name:
                raise BadRequest(f"{where}: id and name are required", param=where)
            text = json_object(bytes(block.input).decode(), f"{where}.input")
            return ToolUse(block.id, block.name, text, block.cache_control)
        if kind == "tool_result":
            return self.result(block, where, index, position)
        if kind == "thinking":
            return Thinking(block.thinking, block.signature)
        if kind == "redacted_thinking":
            return RedactedThinking(block.data)
        if kind == "image":
            image = self.image(block, where)
            if image is not None:
                return image
        if kind == "document" and (document := self.document(block)) is not None:
            return document
        self.extra[where] = at(self.body, "messages", index, "content", position)
        return None

    def image(self, block: Block, where: str) -> Image | None:
        source = block.source
        if source is not None and source.type == "base64":
            image = image_from_data(source.data, source.media_type, where)
            return msgspec.structs.replace(image, cache_control=block.cache_control)
        if source is not None and source.type == "url" and source.url:
            return Image(url=source.url, cache_control=block.cache_control)
        return None

    def document(self, block: Block) -> Document | None:
        source = block.source
        title = block.title or ""
        if source is None:
            return None
        if source.type in ("base64", "text"):
            kind = source.media_type or ("text/plain" if source.type == "text" else "")
            return Document(kind, source.data, "", title, block.cache_control)
        if source.type == "url" and source.url:
            return Document("", "", source.url, title, block.cache_control)
        return None

    def result(self, block: Block, where: str, index: int, position: int) -> ToolResult:
        if not block.tool_use_id:
            raise BadRequest(f"{where}.tool_use_id: missing", param=f"{where}.tool_use_id")
        try:
            content = _RESULT.decode(block.content) if bytes(block.content) else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        parts: list[Text | Image] = []
        if isinstance(content, str):
            parts = [Text(content)] if content else []
        for number, part in enumerate(content if isinstance(content, list) else ()):
            here = f"{where}.content[{number}]"
            image = self.image(part, here) if part.type == "image" else None
            if part.type == "text":
                parts.append(Text(part.text, part.cache_control))
            elif image is not None:
                parts.append(image)
            else:
                self.extra[here] = at(
                    self.body, "messages", index, "content", position, "content", number
                )
        return ToolResult(
            block.tool_use_id, tuple(parts), bool(block.is_error), block.cache_control
        )


def _tools(wire: MessagesRequest, body: bytes, extra: dict[str, str]) -> tuple[CanonicalTool, ...]:
    tools = []
    for index, tool in enumerate(wire.tools or ()):
        if tool.type not in (None, "custom"):  # run by Anthropic: web_search_..., bash_...
            extra[f"tools[{index}].builtin"] = at(body, "tools", index)
            continue
        if not tool.name:
            raise BadRequest(f"tools[{index}].name: missing", param=f"tools[{index}].name")
        schema = json_object(bytes(tool.input_schema).decode(), f"tools[{index}].input_schema")
        tools.append(
            CanonicalTool(
                tool.name, tool.description or "", schema, tool.cache_control, bool(tool.strict)
            )
        )
    return tuple(tools)


_MODES: dict[str, Literal["auto", "none", "any", "tool"]] = {
    "auto": "auto",
    "none": "none",
    "any": "any",
    "tool": "tool",
}


def _tool_choice(wire: MessagesRequest) -> ToolChoice | None:
    choice = wire.tool_choice
    if choice is None:
        return None
    mode = _MODES.get(choice.type)
    if mode is None:
        raise BadRequest("tool_choice.type: not a known mode", param="tool_choice.type")
    return ToolChoice(mode, choice.name, choice.disable_parallel_tool_use is not True)


def _thinking(
    wire: MessagesRequest, extra: dict[str, str]
) -> tuple[Literal["enabled", "adaptive", "disabled"] | None, int | None]:
    config = wire.thinking
    if config is None:
        return None, None
    if config.display is not None:
        extra["thinking.display"] = f'"{config.display}"'
    if config.type == "disabled":
        return "disabled", None
    if config.type == "enabled":
        return "enabled", config.budget_tokens
    if config.type == "adaptive":
        return "adaptive", None
    extra["thinking.type"] = f'"{config.type}"'
    return None, None


def _format(wire: MessagesRequest) -> ResponseFormat | None:
    output = wire.output_config
    if output is None or output.format is None:
        return None
    if output.format.type != "json_schema":
        raise BadRequest(
            "output_config.format.type: must be json_schema", param="output_config.format.type"
        )
    schema = json_object(bytes(output.format.schema).decode(), "output_config.format.schema")
    return ResponseFormat("json_schema", "", schema, True)
