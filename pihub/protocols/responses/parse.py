"""A Responses request to the canonical form."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

import msgspec

from pihub.domain.chat import (
    Ask,
    Block,
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
from pihub.domain.chat import Tool as CanonicalTool
from pihub.errors import BadRequest
from pihub.protocols.canonical import check, from_data_uri, image_from_url
from pihub.protocols.jsontext import BodyDecoder, bad_json, json_object
from pihub.protocols.logprobs import INCLUDE, wanted
from pihub.protocols.responses.wire import ExactRequest, Item, Part, ResponsesRequest

DECODER: BodyDecoder[ResponsesRequest] = BodyDecoder(ExactRequest, ResponsesRequest)
_ITEMS = msgspec.json.Decoder(str | list[msgspec.Raw])
_ITEM = msgspec.json.Decoder(Item)
SEALED = "pihub."
"""Begins an `encrypted_content` of ours: a signed thought, to be given back as it was."""
_HARMLESS = {"background": "false", "truncation": '"disabled"'}
_DROPPED = ("max_tool_calls", "stream_options", "truncation")
"""What changes no answer; noted as dropped."""

Said = tuple[ResponsesRequest, list[msgspec.Raw], dict[str, str]]


def decode(body: bytes) -> Said:
    """(request, its own input items, unknown fields). Raises BadRequest."""
    wire, extra = DECODER.decode(body)
    for name, value in _HARMLESS.items():
        if extra.get(name) == value:
            del extra[name]
    for name in _DROPPED:
        if name in extra:
            extra[name + ".detail"] = extra.pop(name)
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    try:
        given = _ITEMS.decode(wire.input) if bytes(wire.input) else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("input: must be text or a list of items", param="input") from None
    if isinstance(given, str):
        text = msgspec.json.encode({"type": "message", "role": "user", "content": given})
        given = [msgspec.Raw(text)]
    return wire, given, extra


def parse(wire: ResponsesRequest, items: list[msgspec.Raw], extra: dict[str, str]) -> Ask:
    """`items`: the whole conversation, the stored part of it first. Raises BadRequest."""
    limit = wire.max_output_tokens
    if limit is not None and limit < 1:
        raise BadRequest("max_output_tokens: must be at least 1", param="max_output_tokens")
    check(wire.temperature, 0, 2, "temperature")
    check(wire.top_p, 0, 1, "top_p")
    reader = _Items(extra)
    for index, raw in enumerate(items):
        reader.read(raw, index)
    system = ([Text(wire.instructions)] if wire.instructions else []) + reader.system
    messages = reader.turns()
    if not messages:
        raise BadRequest("input: must not be empty", param="input")
    if wire.text is not None and wire.text.verbosity is not None:
        extra["text.verbosity"] = f'"{wire.text.verbosity}"'
    reasoning = wire.reasoning
    if reasoning is not None and reasoning.summary is not None:
        extra["reasoning.summary.detail"] = f'"{reasoning.summary}"'
    effort = reasoning.effort if reasoning is not None else None
    # Some alternatives are enough of a wish; `include` asks for the chosen tokens alone.
    weighs = bool(wire.top_logprobs) or INCLUDE in (wire.include or ())
    weighs, top = wanted(weighs, wire.top_logprobs)
    if others := [name for name in wire.include or () if name != INCLUDE]:
        extra["include.detail"] = msgspec.json.encode(others).decode()
    return Ask(
        model=wire.model,
        messages=messages,
        system=tuple(system),
        max_tokens=limit,
        temperature=wire.temperature,
        top_p=wire.top_p,
        logprobs=weighs,
        top_logprobs=top,
        tools=_tools(wire, extra),
        tool_choice=_tool_choice(wire, extra),
        response_format=_format(wire),
        reasoning_effort=None if effort == "none" else effort,
        thinking="disabled" if effort == "none" else None,
        stream=bool(wire.stream),
        include_usage=True,
        user=wire.user or "",
        extra=extra,
    )


class _Items:
    """Input items to turns: what one role says in a row is one turn, results apart."""

    def __init__(self, extra: dict[str, str]) -> None:
        self.extra = extra
        self.system: list[Text] = []
        self._turns: list[tuple[str, list[Block]]] = []

    def turns(self) -> tuple[Message, ...]:
        roles: dict[str, Literal["user", "assistant"]] = {"assistant": "assistant"}
        return tuple(Message(roles.get(kind, "user"), tuple(b)) for kind, b in self._turns)

    def read(self, raw: msgspec.Raw, index: int) -> None:
        where = f"input[{index}]"
        try:
            item = _ITEM.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        if item.type == "message":
            self._message(item, where)
        elif item.type == "function_call":
            if not item.call_id or not item.name:
                raise BadRequest(f"{where}: call_id and name are required", param=where)
            text = json_object(item.arguments, f"{where}.arguments")
            self._add("assistant", ToolUse(item.call_id, item.name, text))
        elif item.type == "function_call_output":
            if not item.call_id:
                raise BadRequest(f"{where}.call_id: missing", param=f"{where}.call_id")
            blocks = self._parts(item.output, where)
            told = tuple(b for b in blocks if isinstance(b, Text | Image))
            self._add("results", ToolResult(item.call_id, told))
        elif item.type == "reasoning":
            self._add("assistant", *_thoughts(item))
        else:
            self.extra[where] = bytes(raw).decode()

    def _message(self, item: Item, where: str) -> None:
        blocks = self._parts(item.content, where)
        if item.role in ("user", "assistant"):
            self._add(item.role, *blocks)
        elif item.role in ("system", "developer"):
            for block in blocks:
                if not isinstance(block, Text):
                    raise BadRequest(f"{where}: system messages hold only text", param=where)
                self.system.append(block)
        else:
            raise BadRequest(f"{where}.role: not a known role", param=f"{where}.role")

    def _add(self, kind: str, *blocks: Block) -> None:
        if self._turns and self._turns[-1][0] == kind:
            self._turns[-1][1].extend(blocks)
        else:
            self._turns.append((kind, list(blocks)))

    def _parts(self, content: str | list[Part] | None, where: str) -> list[Block]:
        if content is None or isinstance(content, str):
            return [Text(content)] if content else []
        blocks: list[Block] = []
        for position, part in enumerate(content):
            here = f"{where}.content[{position}]"
            if part.type in ("input_text", "output_text", "text", "reasoning_text"):
                blocks.append(Text(part.text))
            elif part.type == "refusal":
                blocks.append(Text(part.refusal))
            elif part.type == "input_image" and part.image_url:
                blocks.append(image_from_url(part.image_url, here))
            elif part.type == "input_file" and part.file_data:
                kind, data = from_data_uri(part.file_data, here)
                blocks.append(Document(media_type=kind, data=data, title=part.filename or ""))
            else:
                self.extra[here] = msgspec.json.encode(part).decode()
        return blocks


def seal(thought: Thinking | RedactedThinking) -> str:
    """A signed or hidden thought as `encrypted_content`, for the client to give back."""
    return SEALED + base64.urlsafe_b64encode(msgspec.json.encode(thought)).decode()


_SEALED: msgspec.json.Decoder[Thinking | RedactedThinking] = msgspec.json.Decoder(
    Thinking | RedactedThinking
)


def _thoughts(item: Item) -> list[Block]:
    sealed = item.encrypted_content or ""
    if sealed.startswith(SEALED):
        try:
            return [_SEALED.decode(base64.urlsafe_b64decode(sealed.removeprefix(SEALED)))]
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError):
            pass
    parts = item.content if isinstance(item.content, list) else item.summary
    text = "".join(part.text for part in parts or ())
    return [Thinking(text)] if text else []


def _tools(wire: ResponsesRequest, extra: dict[str, str]) -> tuple[CanonicalTool, ...]:
    tools = []
    for index, tool in enumerate(wire.tools or ()):
        if tool.type != "function" or not tool.name:  # run by OpenAI: web_search, ...
            extra[f"tools[{index}].builtin"] = msgspec.json.encode(tool.type).decode()
            continue
        schema = bytes(tool.parameters).decode()
        text = "{}"
        if schema not in ("", "null"):
            text = json_object(schema, f"tools[{index}].parameters")
        tools.append(
            CanonicalTool(tool.name, tool.description or "", text, strict=bool(tool.strict))
        )
    return tuple(tools)


_MODES: dict[str, Literal["auto", "none", "any"]] = {
    "auto": "auto",
    "none": "none",
    "required": "any",
}


def _tool_choice(wire: ResponsesRequest, extra: dict[str, Any]) -> ToolChoice | None:
    parallel = wire.parallel_tool_calls is not False
    choice = wire.tool_choice
    if choice is None:
        return None if parallel else ToolChoice(parallel=False)
    if isinstance(choice, str):
        if choice not in _MODES:
            raise BadRequest("tool_choice: not a known mode", param="tool_choice")
        return ToolChoice(_MODES[choice], parallel=parallel)
    if choice.type == "function":
        return ToolChoice("tool", choice.name, parallel)
    extra["tool_choice"] = f'"{choice.type}"'
    return None


def _format(wire: ResponsesRequest) -> ResponseFormat | None:
    wanted = wire.text.format if wire.text is not None else None
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return ResponseFormat("json_object")
    schema = bytes(wanted.schema).decode()
    if wanted.type == "json_schema" and schema:
        text = json_object(schema, "text.format.schema")
        return ResponseFormat("json_schema", wanted.name, text, bool(wanted.strict))
    raise BadRequest("text.format: not a known format", param="text.format")
