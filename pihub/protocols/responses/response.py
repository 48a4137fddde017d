"""The `response` object and its output items."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pihub.domain.chat import (
    Answer,
    Ask,
    Block,
    RedactedThinking,
    StopReason,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from pihub.protocols.canonical import mint, restored_names
from pihub.protocols.jsontext import raw
from pihub.protocols.logprobs import Tokens, full
from pihub.protocols.responses.parse import seal
from pihub.protocols.responses.wire import ResponsesRequest

INCOMPLETE = {
    StopReason.MAX_TOKENS: "max_output_tokens",
    StopReason.CONTEXT_EXCEEDED: "max_output_tokens",
    StopReason.REFUSAL: "content_filter",
}


def shell(wire: ResponsesRequest, ask: Ask, id_: str, model: str, created: int) -> dict[str, Any]:
    """A response in progress: what was asked, and no output yet."""
    choice = wire.tool_choice
    return {
        "id": id_,
        "object": "response",
        "created_at": created or int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": wire.instructions,
        "max_output_tokens": wire.max_output_tokens,
        "model": model or ask.model,
        "output": [],
        "parallel_tool_calls": wire.parallel_tool_calls is not False,
        "previous_response_id": wire.previous_response_id,
        "reasoning": {"effort": wire.reasoning.effort if wire.reasoning else None, "summary": None},
        "store": wire.store is not False,
        "temperature": wire.temperature,
        "text": {"format": _format(ask)},
        "tool_choice": choice if isinstance(choice, str) else _named(wire),
        "tools": [_tool(ask, index) for index in range(len(ask.tools))],
        "top_p": wire.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": wire.user,
        "metadata": metadata(ask),
    }


def metadata(ask: Ask) -> Any:
    """What the client called its request, as it stood."""
    said = ask.extra.get("metadata")
    return raw(said) if said else {}


def _named(wire: ResponsesRequest) -> Any:
    choice = wire.tool_choice
    if choice is None or isinstance(choice, str):
        return "auto"
    return {"type": choice.type, "name": choice.name}


def _format(ask: Ask) -> dict[str, Any]:
    wanted = ask.response_format
    if wanted is None or wanted.kind != "json_schema":
        return {"type": "text" if wanted is None else wanted.kind}
    return {
        "type": "json_schema",
        "name": wanted.name,
        "schema": raw(wanted.schema),
        "strict": wanted.strict,
    }


def _tool(ask: Ask, index: int) -> dict[str, Any]:
    tool = ask.tools[index]
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description or None,
        "parameters": raw(tool.schema),
        "strict": tool.strict,
    }


def finished(
    body: dict[str, Any], output: list[dict[str, Any]], stop: StopReason, usage: Usage | None
) -> dict[str, Any]:
    """The response with its output and its end."""
    why = INCOMPLETE.get(stop)
    return {
        **body,
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": output,
        "usage": write_usage(usage) if usage is not None else None,
    }


def whole(wire: ResponsesRequest, ask: Ask, answer: Answer) -> dict[str, Any]:
    """The complete response of an answer."""
    names = restored_names(ask)
    output = []
    told = answer.logprobs if ask.logprobs else ()  # all of them with the first text
    for block in answer.blocks:
        item = item_of(block, _id_of(block), names, "completed", told)
        if item is not None:
            output.append(item)
        told = () if isinstance(block, Text) else told
    body = shell(wire, ask, mint("resp_"), answer.model, answer.created)
    return finished(body, output, answer.stop_reason, answer.usage)


def _id_of(block: Block) -> str:
    if isinstance(block, ToolUse):
        return mint("fc_")
    return mint("msg_" if isinstance(block, Text) else "rs_")


def item_of(
    block: Block, id_: str, names: dict[str, str], status: str, told: Tokens = ()
) -> dict[str, Any] | None:
    """The output item of a block; None for what is no output. `told`: a text's tokens."""
    if isinstance(block, Text):
        return {
            "id": id_,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [text_part(block.text, told)] if status == "completed" else [],
        }
    if isinstance(block, ToolUse):
        return {
            "id": id_,
            "type": "function_call",
            "status": status,
            "call_id": block.id,
            "name": names.get(block.name, block.name),
            "arguments": block.input if status == "completed" else "",
        }
    if isinstance(block, Thinking | RedactedThinking):
        text = block.text if isinstance(block, Thinking) else ""
        signed = isinstance(block, RedactedThinking) or bool(block.signature)
        return {
            "id": id_,
            "type": "reasoning",
            "status": status,
            "summary": [],
            "content": [{"type": "reasoning_text", "text": text}] if text else [],
            "encrypted_content": seal(block) if signed else None,
        }
    return None


def text_part(text: str, told: Tokens = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": full(told)}


def write_usage(usage: Usage) -> dict[str, Any]:
    total = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    return {
        "input_tokens": total,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": total + usage.output,
    }


class Kept(msgspec.Struct, frozen=True):
    """A stored response and everything that was said before it."""

    response: msgspec.Raw
    input: list[msgspec.Raw]
