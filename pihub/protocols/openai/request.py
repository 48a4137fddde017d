"""A canonical request as the body of a call to an OpenAI-compatible upstream."""

from __future__ import annotations

from typing import Any

from pihub.domain.chat import (
    Ask,
    Block,
    Document,
    Image,
    Message,
    ResponseFormat,
    Text,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from pihub.errors import Unsupported
from pihub.protocols.canonical import (
    NAME_64,
    dropped,
    known_image,
    option_names,
    plain_text,
    refuse_extra,
    wire_name,
)
from pihub.protocols.jsontext import edit, encode, members, raw
from pihub.protocols.logprobs import asked
from pihub.shared.jsonscan import replace

PATH = "/v1/chat/completions"
_NAME = "an OpenAI upstream"
_EFFORTS = {"max": "xhigh"}
_INCLUDE_USAGE = b'{"include_usage":true}'


def render(ask: Ask, model: str, *, stream: bool) -> bytes:
    """The request body. Raises Unsupported for what cannot be said in this format."""
    refuse_extra(ask, _NAME)
    if ask.max_tokens == 0:
        raise Unsupported("max_tokens: 0 cannot be carried to " + _NAME, param="max_tokens")
    body: dict[str, Any] = {"model": model, "messages": _messages(ask)}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    for name in (
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
    ):
        value = getattr(ask, name)
        if value is not None:
            body[name] = value
    body |= asked(ask)
    if ask.stop:
        body["stop"] = ask.stop
    if ask.user:
        body["user"] = ask.user
    effort = reasoning_effort(ask)
    if effort is not None:
        body["reasoning_effort"] = effort
        if effort != "none" and "max_tokens" in body:  # reasoning models know only this name
            body["max_completion_tokens"] = body.pop("max_tokens")
    if ask.tools:
        body["tools"] = _tools(ask)
        if ask.tool_choice is not None:
            body.update(_tool_choice(ask.tool_choice))
    if ask.response_format is not None and ask.response_format.kind != "text":
        body["response_format"] = _format(ask.response_format)
    return encode(body)


def notes(ask: Ask) -> tuple[str, ...]:
    """What `render` drops or changes."""
    found = dropped(ask)
    found += option_names(ask)
    if ask.keep_alive is not None:
        found.append("keep_alive")
    if ask.thinking_budget is not None:
        found.append("thinking.budget_tokens")
    if ask.messages and ask.messages[-1].role == "assistant":
        found.append("messages: prefill")
    return tuple(found)


_STREAMS = (b"stream", b"stream_options")


def patch(body: bytes, model: str, *, stream: bool) -> bytes:
    """The client's own body for this model; streams always ask for usage."""
    values = {"model": encode(model)}
    if not stream:
        plain = replace(body, b"model", values["model"], _STREAMS)
        if plain is not None:
            return plain
    spans = members(body)
    said = {key: (start, end) for key, start, end in spans}
    if stream:
        values["stream"] = b"true"
        start, end = said.get("stream_options", (0, 0))
        options = body[start:end]
        values["stream_options"] = (
            edit(options, {"include_usage": b"true"})
            if options not in (b"", b"null", b"{}")
            else _INCLUDE_USAGE
        )
    elif "stream" in said:
        values["stream"] = b"false"
        if "stream_options" in said:  # refused by OpenAI without stream
            values["stream_options"] = b"null"
    return edit(body, values, spans)


def reasoning_effort(ask: Ask) -> str | None:
    """OpenAI's word for how much to think, None if the client did not say."""
    if ask.thinking == "disabled":
        return "none"
    if ask.reasoning_effort is not None:
        return _EFFORTS.get(ask.reasoning_effort, ask.reasoning_effort)
    budget = ask.thinking_budget
    if budget is not None:
        return "low" if budget <= 4096 else "medium" if budget <= 16384 else "high"
    return None


def _messages(ask: Ask) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if ask.system:
        text = "\n".join(part.text for part in ask.system)
        messages.append({"role": "system", "content": text})
    for message in ask.messages:
        if message.role == "assistant":
            messages.append(_assistant(message))
        else:
            messages += _user(message)
    return messages


def _assistant(message: Message) -> dict[str, Any]:
    # Thinking stays out: it belongs to the model that thought it.
    texts = [block.text for block in message.blocks if isinstance(block, Text)]
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {
                "name": wire_name(block.name, NAME_64, 64),
                "arguments": block.input,
            },
        }
        for block in message.blocks
        if isinstance(block, ToolUse)
    ]
    content: Any
    if len(texts) > 1:
        content = [{"type": "text", "text": text} for text in texts]
    else:
        content = texts[0] if texts else None if calls else ""
    wire: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        wire["tool_calls"] = calls
    return wire


def _user(message: Message) -> list[dict[str, Any]]:
    """Tool results first, one message each; then everything else as one user message."""
    messages: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for block in message.blocks:
        if isinstance(block, ToolResult):
            text = "".join(part.text for part in block.content if isinstance(part, Text))
            if block.is_error:
                text = "Error: " + text
            messages.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": text})
            # A tool message holds no images; they follow in the user's turn.
            parts += [_part(part) for part in block.content if isinstance(part, Image)]
    results = len(messages)
    parts += [_part(block) for block in message.blocks if not isinstance(block, ToolResult)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        messages.append({"role": "user", "content": parts[0]["text"]})
    elif parts:
        messages.append({"role": "user", "content": parts})
    elif not results:
        messages.append({"role": "user", "content": ""})
    return messages


def _part(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Image):
        known_image(block, _NAME)
        url = block.url or f"data:{block.media_type};base64,{block.data}"
        return {"type": "image_url", "image_url": {"url": url}}
    if isinstance(block, Document):
        return {"type": "text", "text": plain_text(block, _NAME)}
    raise Unsupported("a user message holds a block of the assistant", param="messages")


def _tools(ask: Ask) -> list[dict[str, Any]]:
    tools = []
    for tool in ask.tools:
        function: dict[str, Any] = {"name": wire_name(tool.name, NAME_64, 64)}
        if tool.description:
            function["description"] = tool.description
        function["parameters"] = raw(tool.schema)
        if tool.strict:
            function["strict"] = True
        tools.append({"type": "function", "function": function})
    return tools


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if choice.mode == "tool":
        name = wire_name(choice.name, NAME_64, 64)
        wire["tool_choice"] = {"type": "function", "function": {"name": name}}
    else:
        wire["tool_choice"] = "required" if choice.mode == "any" else choice.mode
    if not choice.parallel:
        wire["parallel_tool_calls"] = False
    return wire


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name or "response", "schema": raw(wanted.schema)}
    if wanted.strict:
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}
