"""Marks for Anthropic's prompt cache in a request's body; every other byte stays.

A mark (`cache_control`) on a block makes the vendor keep everything up to it for five
minutes: writing costs 1.25 times the input price, reading 0.1 times, and at most four marks
are allowed. Prompts below a model's minimum are not kept.
Source: Anthropic's documentation, "Prompt caching" (order tools, system, messages; string
content is a text block; thinking and empty text blocks take no mark).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from pihub.errors import BadRequest
from pihub.protocols.jsontext import edit, members

MARK = b'"cache_control":{"type":"ephemeral"}'
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_UNMARKED = frozenset({"thinking", "redacted_thinking"})
_FAMILY = re.compile(r"claude-(?:([a-z]+)-)?(\d)(?:[-.](\d{1,2}))?(?:-([a-z]+))?(?=$|[-@:])")


def least_tokens(model: str) -> int:
    """The shortest prompt that the vendor keeps for this model; the highest for an unknown."""
    found = _FAMILY.search(model)
    if found is None:
        return 4096
    family = found.group(1) or found.group(4) or ""
    version = (int(found.group(2)), int(found.group(3) or 0))
    if family == "haiku":
        return 4096 if version >= (4, 5) else 2048
    if family == "opus":
        return 4096 if version >= (4, 5) else 1024
    return 2048 if version >= (4, 6) else 1024


class Parts(NamedTuple):
    """A body's parts in the order in which the vendor caches them, as they stand."""

    tools: bytes
    system: bytes
    messages: bytes
    turns: int
    """Messages of the assistant: more than none is a conversation that goes on."""

    @property
    def prefix(self) -> bytes:
        """What requests with other messages have in common."""
        return self.tools + self.system


def parts(body: bytes) -> Parts | None:
    """None for what cannot be marked: not that shape, or marked by its client already."""
    if b'"cache_control"' in body:
        return None
    try:
        spans = {key: body[start:end] for key, start, end in members(body)}
        messages = _LIST.decode(spans.get("messages", b"[]"))
        turns = sum(_value(bytes(one), "role") == b'"assistant"' for one in messages)
    except (BadRequest, msgspec.DecodeError):
        return None
    tools, system = spans.get("tools", b""), spans.get("system", b"")
    return Parts(tools, system, spans.get("messages", b""), turns)


def mark(body: bytes, found: Parts, *, prefix: bool, messages: bool) -> bytes:
    """`body` with a mark at the end of tools and system (`prefix`) and at its very end."""
    values: dict[str, bytes] = {}
    if prefix:
        name, text = ("system", found.system) if found.system else ("tools", found.tools)
        if (marked := _blocks(text)) is not None:
            values[name] = marked
    if messages and (marked := _last_message(found.messages)) is not None:
        values["messages"] = marked
    return edit(body, values) if values else body


def _value(data: bytes, key: str) -> bytes:
    return next((data[start:end] for name, start, end in members(data) if name == key), b"")


def _blocks(text: bytes) -> bytes | None:
    """A string or a list of blocks with a mark on the last; None if that cannot be."""
    if text.startswith(b'"'):
        if not _STRING.decode(text).strip():
            return None
        return b'[{"type":"text","text":' + text + b"," + MARK + b"}]"
    if not text.startswith(b"["):
        return None
    blocks = _LIST.decode(text)
    if not blocks:
        return None
    last = bytes(blocks[-1])
    kind = _value(last, "type").strip(b'"').decode()
    empty = kind == "text" and not _STRING.decode(_value(last, "text") or b'""').strip()
    if kind in _UNMARKED or empty or not last.endswith(b"}"):
        return None
    at = text.rindex(last)
    end = at + len(last) - 1
    return text[:end].rstrip() + b"," + MARK + text[end:]


def _last_message(text: bytes) -> bytes | None:
    messages = _LIST.decode(text)
    last = bytes(messages[-1])
    content = _value(last, "content")
    marked = _blocks(content)
    if marked is None:
        return None
    at = text.rindex(last)
    return text[:at] + edit(last, {"content": marked}) + text[at + len(last) :]
