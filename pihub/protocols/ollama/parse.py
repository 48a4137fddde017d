"""An Ollama chat request body to the canonical form."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from pihub.domain.chat import (
    Ask,
    Block,
    Message,
    ResponseFormat,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from pihub.domain.chat import Tool as CanonicalTool
from pihub.errors import BadRequest
from pihub.protocols import logprobs
from pihub.protocols.canonical import check, image_from_data
from pihub.protocols.jsontext import BodyDecoder, Scalar, at, json_object
from pihub.protocols.ollama.wire import ChatRequest, ExactRequest, WireMessage

_DECODER: BodyDecoder[ChatRequest] = BodyDecoder(ExactRequest, ChatRequest)


def parse(body: bytes) -> Ask:
    """Raises BadRequest for what is malformed; what has no canonical field is `extra`.

    No messages at all is legal: it loads or (with keep_alive 0) unloads the model.
    """
    wire, extra = _DECODER.decode(body)
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    system, messages = _Messages().read(wire.messages or [])
    return ask(
        wire,
        system=system,
        messages=messages,
        tools=_tools(wire, body, extra) if wire.tools else (),
        extra=extra,
    )


class Common(Protocol):
    """What the requests of both generating endpoints say in the same words."""

    model: str
    stream: bool | None
    format: msgspec.Raw
    options: dict[str, Scalar | list[Scalar]] | None
    keep_alive: str | int | float | None
    think: bool | str | None
    logprobs: bool | None
    top_logprobs: int | None


def ask(
    wire: Common,
    *,
    system: tuple[Text, ...],
    messages: tuple[Message, ...],
    tools: tuple[CanonicalTool, ...],
    extra: dict[str, str],
) -> Ask:
    """The canonical form with the options sorted out. Raises BadRequest."""
    options: dict[str, Any] = {k: v for k, v in (wire.options or {}).items() if v is not None}
    stop = _stops(options)
    limit = _integer(options, "num_predict")
    if limit is not None and limit < 1:  # -1: no limit, -2: fill the context
        if limit != -1:
            options["num_predict"] = limit
        limit = None
    temperature = _number(options, "temperature")
    check(temperature, 0, 100, "options.temperature")
    thinking, effort = _think(wire.think)
    weighs, top = logprobs.wanted(wire.logprobs, wire.top_logprobs)
    return Ask(
        model=wire.model,
        messages=messages,
        system=system,
        max_tokens=limit,
        temperature=temperature,
        top_p=_number(options, "top_p"),
        top_k=_integer(options, "top_k"),
        stop=stop,
        seed=_integer(options, "seed"),
        presence_penalty=_number(options, "presence_penalty"),
        frequency_penalty=_number(options, "frequency_penalty"),
        logprobs=weighs,
        top_logprobs=top,
        tools=tools,
        response_format=_format(bytes(wire.format).decode()),
        reasoning_effort=effort,
        thinking=thinking,
        stream=wire.stream is not False,
        include_usage=True,
        keep_alive=wire.keep_alive,
        options=options,
        extra=extra,
    )


def _stops(options: dict[str, Any]) -> tuple[str, ...]:
    stop = options.pop("stop", None)
    if stop is None:
        return ()
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise BadRequest("options.stop: must be a list of strings", param="options.stop")
    return tuple(stops)


def _number(options: dict[str, Any], name: str) -> float | None:
    value = options.pop(name, None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"options.{name}: must be a number", param=f"options.{name}")
    return float(value)


def _integer(options: dict[str, Any], name: str) -> int | None:
    value = _number(options, name)
    if value is not None and not (value.is_integer() and abs(value) < 2**63):
        raise BadRequest(f"options.{name}: must be a whole number", param=f"options.{name}")
    return None if value is None else int(value)


class _Messages:
    """Ollama may leave out tool ids: calls get `call_<n>` in order of appearance, and a
    result without an id goes to the first open call of its name, else the first open."""

    def __init__(self) -> None:
        self.calls = 0
        self.open: list[ToolUse] = []

    def read(self, wires: list[WireMessage]) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
        system: list[Text] = []
        turns: list[Message] = []
        results: list[ToolResult] = []
        for index, wire in enumerate(wires):
            if wire.role == "tool":
                results.append(self.result(wire, index))
                continue
            if results:
                turns.append(Message("user", tuple(results)))
                results = []
            if wire.role == "system":
                if wire.content:
                    system.append(Text(wire.content))
            elif wire.role == "user":
                turns.append(Message("user", self.user(wire, index)))
            elif wire.role == "assistant":
                turns.append(Message("assistant", self.assistant(wire, index)))
            else:
                param = f"messages[{index}].role"
                raise BadRequest(f"{param}: not a known role", param=param)
        if results:
            turns.append(Message("user", tuple(results)))
        return tuple(system), tuple(turns)

    def user(self, wire: WireMessage, index: int) -> tuple[Block, ...]:
        blocks: list[Block] = [
            image_from_data(data, "", f"messages[{index}].images[{position}]")
            for position, data in enumerate(wire.images or ())
        ]
        if wire.content:
            blocks.append(Text(wire.content))
        return tuple(blocks)

    def assistant(self, wire: WireMessage, index: int) -> tuple[Block, ...]:
        blocks: list[Block] = []
        if wire.thinking:
            blocks.append(Thinking(wire.thinking))
        if wire.content:
            blocks.append(Text(wire.content))
        self.open = []
        for position, call in enumerate(wire.tool_calls or ()):
            where = f"messages[{index}].tool_calls[{position}].function"
            if call.function is None or not call.function.name:
                raise BadRequest(f"{where}.name: missing", param=f"{where}.name")
            text = json_object(bytes(call.function.arguments).decode(), f"{where}.arguments")
            use = ToolUse(call.id or f"call_{self.calls}", call.function.name, text)
            self.calls += 1
            self.open.append(use)
            blocks.append(use)
        return tuple(blocks)

    def result(self, wire: WireMessage, index: int) -> ToolResult:
        content: list[Any] = [Text(wire.content)] if wire.content else []
        for position, data in enumerate(wire.images or ()):
            content.append(image_from_data(data, "", f"messages[{index}].images[{position}]"))
        return ToolResult(self.answered(wire, index), tuple(content))

    def answered(self, wire: WireMessage, index: int) -> str:
        """The id of the call that this result answers. Raises BadRequest without a call."""
        match = None
        if wire.tool_call_id:
            match = next((use for use in self.open if use.id == wire.tool_call_id), None)
            if match is None:
                return wire.tool_call_id
        elif wire.tool_name:
            match = next((use for use in self.open if use.name == wire.tool_name), None)
        if match is None:
            if not self.open:
                param = f"messages[{index}]"
                raise BadRequest(f"{param}: a tool result without a tool call", param=param)
            match = self.open[0]
        self.open.remove(match)
        return match.id


def _tools(wire: ChatRequest, body: bytes, extra: dict[str, str]) -> tuple[CanonicalTool, ...]:
    tools = []
    for index, tool in enumerate(wire.tools or ()):
        function = tool.function
        if function is None or not function.name:
            extra[f"tools[{index}]"] = at(body, "tools", index)
            continue
        schema = bytes(function.parameters).decode()
        param = f"tools[{index}].function.parameters"
        tools.append(
            CanonicalTool(
                function.name,
                function.description or "",
                "{}" if schema in ("", "null") else json_object(schema, param),
            )
        )
    return tuple(tools)


def _format(text: str) -> ResponseFormat | None:
    if text in ("", "null", '""'):
        return None
    if text == '"json"':
        return ResponseFormat("json_object")
    if text.startswith("{"):
        return ResponseFormat("json_schema", "", json_object(text, "format"), True)
    raise BadRequest('format: must be "json" or a JSON schema', param="format")


def _think(
    think: bool | str | None,
) -> tuple[Literal["enabled", "disabled"] | None, str | None]:
    if think is None or think == "":
        return None, None
    if isinstance(think, str):
        return None, think
    return ("enabled" if think else "disabled"), None
