"""A canonical request as the body of a call to Anthropic."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pihub.domain.chat import Ask, RedactedThinking, Text, Thinking, ToolChoice, ToolUse
from pihub.errors import BadRequest, Unsupported
from pihub.protocols import logprobs
from pihub.protocols.anthropic.blocks_out import content, text_block
from pihub.protocols.anthropic.models import Capabilities, capabilities
from pihub.protocols.canonical import NAME_128, dropped, option_names, refuse_extra, wire_name
from pihub.protocols.jsontext import edit, encode, members, raw

PATH = "/v1/messages"
_NAME = "Anthropic"
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 24576}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
_FORCED = ("any", "tool")
MIN_BUDGET = 1024
JSON_ONLY = "Answer with one JSON object and nothing else."


def render(ask: Ask, model: str, *, stream: bool) -> bytes:
    """The request body. Raises Unsupported for what cannot be said in this format."""
    refuse_extra(ask, _NAME)
    if ask.max_tokens is None:
        raise Unsupported("max_tokens: required by Anthropic", param="max_tokens")
    can = capabilities(model)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": ask.max_tokens,
        "messages": _messages(ask, can),
    }
    if stream:
        body["stream"] = True
    if (system := _system(ask)) is not None:
        body["system"] = system
    _thinking(ask, can, body)
    _sampling(ask, can, body)
    if stops := [text for text in ask.stop if text.strip()]:  # blank ones are the hub's
        body["stop_sequences"] = stops
    if ask.tools:
        body["tools"] = _tools(ask)
        if ask.tool_choice is not None:
            body["tool_choice"] = _tool_choice(ask.tool_choice)
    if ask.response_format is not None and ask.response_format.kind == "json_schema":
        if not can.json_schema:
            raise Unsupported(
                "response_format: this model has no structured output", param="response_format"
            )
        body.setdefault("output_config", {})["format"] = {
            "type": "json_schema",
            "schema": raw(ask.response_format.schema),
        }
    if ask.user:
        body["metadata"] = {"user_id": ask.user}
    return encode(body)


def notes(ask: Ask, model: str) -> tuple[str, ...]:
    """What `render` drops or changes."""
    can = capabilities(model)
    found = dropped(ask)
    found += option_names(ask) + logprobs.dropped(ask)
    for name in ("seed", "presence_penalty", "frequency_penalty", "keep_alive"):
        if getattr(ask, name) is not None:
            found.append(name)
    sampling: dict[str, Any] = {}
    body: dict[str, Any] = {"max_tokens": ask.max_tokens or 0}
    _thinking(ask, can, body)
    if "thinking" in body:
        sampling["thinking"] = body["thinking"]
    _sampling(ask, can, sampling)
    for name in ("temperature", "top_p", "top_k"):
        if sampling.get(name) != getattr(ask, name):
            found.append(name)
    if (ask.thinking in ("enabled", "adaptive") or ask.reasoning_effort) and (
        "thinking" not in body and "output_config" not in body
    ):
        found.append("thinking")
    if ask.response_format is not None and ask.response_format.kind == "json_object":
        found.append("response_format")
    return tuple(found)


def patch(body: bytes, model: str, *, stream: bool) -> bytes:
    """The client's own body for this model; signed thinking and order stay as they are."""
    values = {"model": encode(model)}
    spans = members(body)
    if stream:
        values["stream"] = b"true"
    elif any(key == "stream" for key, _, _ in spans):
        values["stream"] = b"false"
    return edit(body, values, spans)


def tool_id(id_: str) -> str:
    """The id if Anthropic takes it, else a stable substitute: the same for the call and
    its result, without any state between requests."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) is not None:
        return id_
    return "toolu_" + hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _system(ask: Ask) -> str | list[dict[str, Any]] | None:
    parts = [part for part in ask.system if part.text]
    if ask.response_format is not None and ask.response_format.kind == "json_object":
        parts.append(Text(JSON_ONLY))
    if not parts:
        return None
    if any(part.cache_control is not None for part in parts):
        return [text_block(part) for part in parts]
    return "\n".join(part.text for part in parts)


def _messages(ask: Ask, can: Capabilities) -> list[dict[str, Any]]:
    """Neighbours of one role merged, results before text, empty texts left out."""
    merged: list[tuple[str, list[dict[str, Any]]]] = []
    for message in ask.messages:
        blocks = content(message, tool_id)
        if not blocks:
            continue
        if merged and merged[-1][0] == message.role:
            merged[-1][1].extend(blocks)
        else:
            merged.append((message.role, blocks))
    if not merged:
        raise BadRequest("messages: hold no text", param="messages")
    if merged[0][0] == "assistant":
        raise Unsupported(
            "messages: the first message must be the user's for Anthropic", param="messages"
        )
    role, last = merged[-1]
    if role == "assistant":
        if not can.prefill:
            raise Unsupported(
                "messages: this model cannot continue an assistant message", param="messages"
            )
        if last[-1]["type"] == "text":  # trailing whitespace is refused
            last[-1]["text"] = last[-1]["text"].rstrip()
            if not last[-1]["text"]:
                last.pop()
                if not last:
                    merged.pop()
    for role, blocks in merged:
        if role == "user":
            blocks.sort(key=lambda block: block["type"] != "tool_result")
    return [{"role": role, "content": _short(blocks)} for role, blocks in merged]


def _short(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _thinking(ask: Ask, can: Capabilities, body: dict[str, Any]) -> None:
    """`thinking` and `output_config.effort`, as far as the model takes them."""
    effort = ask.reasoning_effort
    if ask.thinking == "disabled":
        body["thinking"] = {"type": "disabled"}
        return
    if effort is not None and can.effort:
        known = _EFFORTS.get(effort) or (effort if effort in ("xhigh", "max") else "high")
        body["output_config"] = {"effort": known}
    if (ask.thinking is None and effort is None) or _must_call(ask):
        return
    if can.adaptive and (ask.thinking != "enabled" or not can.budget):
        body["thinking"] = {"type": "adaptive"}
        return
    if not can.budget or _unsigned_tool_turn(ask):
        return
    budget = ask.thinking_budget or _BUDGETS.get(effort or "medium", 24576)
    limit: int = body["max_tokens"]
    if budget >= limit:  # it must be less; what does not fit is dropped
        budget = limit // 2
    if budget >= MIN_BUDGET:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _must_call(ask: Ask) -> bool:
    """A forced tool call excludes thinking."""
    return bool(ask.tools) and ask.tool_choice is not None and ask.tool_choice.mode in _FORCED


def _unsigned_tool_turn(ask: Ask) -> bool:
    """The tool results at the end answer a turn without signed thinking.

    With a thinking budget such a turn is refused, and it is what every conversation
    looks like that another model, or another protocol, has begun.
    """
    last = next((m for m in reversed(ask.messages) if m.role == "assistant"), None)
    if last is None or not any(isinstance(block, ToolUse) for block in last.blocks):
        return False
    return not any(
        isinstance(block, RedactedThinking) or (isinstance(block, Thinking) and block.signature)
        for block in last.blocks
    )


def _sampling(ask: Ask, can: Capabilities, body: dict[str, Any]) -> None:
    if not can.sampling or body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        return
    if ask.temperature is not None:
        body["temperature"] = min(ask.temperature, 1)
    if ask.top_p is not None and (ask.temperature is None or can.both_samplings):
        body["top_p"] = ask.top_p
    if ask.top_k is not None:
        body["top_k"] = ask.top_k


def _tools(ask: Ask) -> list[dict[str, Any]]:
    tools = []
    for tool in ask.tools:
        schema = '{"type":"object","properties":{}}' if tool.schema == "{}" else tool.schema
        wire: dict[str, Any] = {"name": wire_name(tool.name, NAME_128, 128)}
        if tool.description:
            wire["description"] = tool.description
        wire["input_schema"] = raw(schema)
        if tool.strict:
            wire["strict"] = True
        if tool.cache_control is not None:
            wire["cache_control"] = tool.cache_control
        tools.append(wire)
    return tools


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": choice.mode}
    if choice.mode == "tool":
        wire["name"] = wire_name(choice.name, NAME_128, 128)
    if not choice.parallel and choice.mode != "none":
        wire["disable_parallel_tool_use"] = True
    return wire
