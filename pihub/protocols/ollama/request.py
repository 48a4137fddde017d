"""A canonical request as the body of a call to Ollama's native /api/chat."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from pihub.domain.chat import (
    Ask,
    Document,
    Image,
    Message,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from pihub.errors import Unsupported
from pihub.protocols.canonical import dropped, plain_text, refuse_extra, texts, tool_names
from pihub.protocols.jsontext import edit, encode, raw
from pihub.protocols.logprobs import asked

PATH = "/api/chat"
_NAME = "Ollama"
_LEVELS = {"minimal": "low", "low": "low", "medium": "medium"}
_MUST_CALL = {"any", "tool"}


def render(ask: Ask, model: str, *, stream: bool, thinkers: Container[str]) -> bytes:
    """The request body. Options are set only where the client said something, so that
    the model's own defaults rule. Raises Unsupported for what cannot be said."""
    refuse_extra(ask, _NAME)
    if ask.max_tokens == 0:
        raise Unsupported("max_tokens: 0 cannot be carried to Ollama", param="max_tokens")
    body: dict[str, Any] = {"model": model, "messages": _messages(ask), "stream": stream}
    choice = ask.tool_choice
    if choice is not None and choice.mode in _MUST_CALL:
        raise Unsupported("tool_choice: Ollama cannot force a tool call", param="tool_choice")
    if ask.tools and (choice is None or choice.mode != "none"):
        body["tools"] = _tools(ask)
    return encode(body | common(ask, model, thinkers))


def common(ask: Ask, model: str, thinkers: Container[str]) -> dict[str, Any]:
    """The fields that both generating endpoints have: options, format, think, keep_alive,
    logprobs."""
    body: dict[str, Any] = asked(ask)
    if options := _options(ask):
        body["options"] = options
    if ask.response_format is not None and ask.response_format.kind != "text":
        wanted = ask.response_format
        body["format"] = "json" if wanted.kind == "json_object" else raw(wanted.schema)
    if (think := _think(ask, model, thinkers)) is not None:
        body["think"] = think
    if ask.keep_alive is not None:
        body["keep_alive"] = ask.keep_alive
    return body


def notes(ask: Ask, model: str, thinkers: Container[str]) -> tuple[str, ...]:
    """What `render` drops or changes."""
    found = dropped(ask)
    if _wants_thinking(ask) and _think(ask, model, thinkers) is None:
        found.append("thinking")
    if ask.thinking_budget is not None:
        found.append("thinking.budget_tokens")
    if ask.tool_choice is not None and not ask.tool_choice.parallel:
        found.append("parallel_tool_calls")
    if ask.user:
        found.append("user")
    return tuple(found)


def patch(body: bytes, model: str, *, stream: bool) -> bytes:
    """The client's own body for this model; `stream` is always said (its default is true)."""
    return edit(body, {"model": encode(model), "stream": b"true" if stream else b"false"})


def _options(ask: Ask) -> dict[str, Any]:
    options = dict(ask.options)
    for name, value in (
        ("num_predict", ask.max_tokens),
        ("temperature", ask.temperature),
        ("top_p", ask.top_p),
        ("top_k", ask.top_k),
        ("seed", ask.seed),
        ("presence_penalty", ask.presence_penalty),
        ("frequency_penalty", ask.frequency_penalty),
    ):
        if value is not None:
            options[name] = value
    if ask.stop:
        options["stop"] = ask.stop
    return options


def _wants_thinking(ask: Ask) -> bool:
    return ask.thinking in ("enabled", "adaptive") or ask.reasoning_effort is not None


def _think(ask: Ask, model: str, thinkers: Container[str]) -> bool | str | None:
    """`think: true` is an error for a model that cannot, so it needs the model's word."""
    if ask.thinking == "disabled":
        return False
    if not _wants_thinking(ask) or model not in thinkers:
        return None
    if model.startswith("gpt-oss"):  # knows levels, and nothing else
        return _LEVELS.get(ask.reasoning_effort or "medium", "high")
    return True


def _messages(ask: Ask) -> list[dict[str, Any]]:
    names = tool_names(ask.messages)
    messages: list[dict[str, Any]] = []
    if ask.system:
        text = "\n".join(part.text for part in ask.system)
        messages.append({"role": "system", "content": text})
    for message in ask.messages:
        if message.role == "assistant":
            messages.append(_assistant(message))
        else:
            messages += _user(message, names)
    return messages


def _assistant(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant", "content": texts(message.blocks)}
    # Signed thinking belongs to another model; a local model's own is unsigned.
    thought = [b.text for b in message.blocks if isinstance(b, Thinking) and not b.signature]
    if thought:
        wire["thinking"] = "".join(thought)
    calls = [
        {"id": block.id, "function": {"name": block.name, "arguments": raw(block.input)}}
        for block in message.blocks
        if isinstance(block, ToolUse)
    ]
    if calls:
        wire["tool_calls"] = calls
    return wire


def _user(message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    """Tool results first, one message each; then one user message with the rest."""
    messages: list[dict[str, Any]] = []
    parts: list[str] = []
    images: list[str] = []
    results = False
    for block in message.blocks:
        if isinstance(block, ToolResult):
            results = True
            messages.append(_result(block, names))
            images += [image(part) for part in block.content if isinstance(part, Image)]
    for block in message.blocks:
        if isinstance(block, Text):
            parts.append(block.text)
        elif isinstance(block, Image):
            images.append(image(block))
        elif isinstance(block, Document):
            parts.append(plain_text(block, _NAME))
    if parts or images or not results:
        wire: dict[str, Any] = {"role": "user", "content": "\n".join(parts)}
        if images:
            wire["images"] = images
        messages.append(wire)
    return messages


def _result(block: ToolResult, names: dict[str, str]) -> dict[str, Any]:
    text = texts(block.content)
    wire: dict[str, Any] = {
        "role": "tool",
        "content": "Error: " + text if block.is_error else text,
        "tool_call_id": block.tool_use_id,
    }
    if name := names.get(block.tool_use_id):
        wire["tool_name"] = name
    return wire


def image(block: Image) -> str:
    """Base64 without a prefix. Raises Unsupported for a URL."""
    if block.url:
        raise Unsupported("image URLs cannot be carried to Ollama", param="messages")
    return block.data


def _tools(ask: Ask) -> list[dict[str, Any]]:
    tools = []
    # By name: the prompt's beginning stays the same whatever order a client sends them in,
    # and with it what Ollama has already read.
    for tool in sorted(ask.tools, key=lambda tool: tool.name):
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        schema = '{"type":"object","properties":{}}' if tool.schema == "{}" else tool.schema
        function["parameters"] = raw(schema)
        tools.append({"type": "function", "function": function})
    return tools
