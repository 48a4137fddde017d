"""Canonical blocks as Anthropic content blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pihub.domain.chat import (
    Block,
    Document,
    Image,
    Message,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from pihub.protocols.canonical import NAME_128, known_image, wire_name
from pihub.protocols.jsontext import raw


def content(message: Message, tool_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """The message's blocks; empty texts and unsigned thinking are refused by Anthropic
    and left out."""
    blocks = []
    for block in message.blocks:
        wire = _block(block, tool_id)
        if wire is not None:
            blocks.append(wire)
    return blocks


def text_block(text: Text) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": "text", "text": text.text}
    if text.cache_control is not None:
        wire["cache_control"] = text.cache_control
    return wire


def _block(block: Block, tool_id: Callable[[str], str]) -> dict[str, Any] | None:
    if isinstance(block, Text):
        return text_block(block) if block.text.strip() else None
    wire: dict[str, Any]
    if isinstance(block, ToolUse):
        wire = {
            "type": "tool_use",
            "id": tool_id(block.id),
            "name": wire_name(block.name, NAME_128, 128),
            "input": raw(block.input),
        }
    elif isinstance(block, ToolResult):
        wire = {"type": "tool_result", "tool_use_id": tool_id(block.tool_use_id)}
        if parts := [part for each in block.content if (part := _block(each, tool_id))]:
            wire["content"] = parts
        if block.is_error:
            wire["is_error"] = True
    elif isinstance(block, Image):
        known_image(block, "Anthropic")
        wire = {"type": "image", "source": _source(block)}
    elif isinstance(block, Document):
        wire = {"type": "document", "source": _source(block)}
        if block.title:
            wire["title"] = block.title
    elif isinstance(block, Thinking):
        if not block.signature:
            return None
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    elif isinstance(block, RedactedThinking):
        return {"type": "redacted_thinking", "data": block.data}
    if block.cache_control is not None:
        wire["cache_control"] = block.cache_control
    return wire


def _source(block: Image | Document) -> dict[str, Any]:
    if block.url:
        return {"type": "url", "url": block.url}
    kind = "text" if block.media_type == "text/plain" else "base64"
    return {"type": kind, "media_type": block.media_type, "data": block.data}
