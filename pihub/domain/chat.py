"""The canonical form of a chat: what every client protocol parses into.

It follows the richest of the wire formats (Anthropic messages: ordered typed blocks),
so that nothing a client can say is lost on the way in. JSON that only passes through
(tool schemas, tool input) stays raw bytes, to keep number precision and key order.
Source of the block types: Anthropic Messages API reference; OpenAI chat completions
reference; Ollama API documentation.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec


class Text(msgspec.Struct, frozen=True, tag="text"):
    text: str
    cache_control: dict[str, Any] | None = None


class Image(msgspec.Struct, frozen=True, tag="image"):
    """Either `data` (base64 without prefix) with `media_type`, or `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache_control: dict[str, Any] | None = None


class Document(msgspec.Struct, frozen=True, tag="document"):
    media_type: str = ""
    data: str = ""
    url: str = ""
    title: str = ""
    cache_control: dict[str, Any] | None = None


class ToolUse(msgspec.Struct, frozen=True, tag="tool_use"):
    """`input` is the raw JSON text of an object."""

    id: str
    name: str
    input: str = "{}"
    cache_control: dict[str, Any] | None = None


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    tool_use_id: str
    content: tuple[Text | Image, ...] = ()
    is_error: bool = False
    cache_control: dict[str, Any] | None = None


class Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    text: str
    signature: str = ""


class RedactedThinking(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    data: str


Block = Text | Image | Document | ToolUse | ToolResult | Thinking | RedactedThinking


class Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]


class Tool(msgspec.Struct, frozen=True):
    """`schema` is the raw JSON text of the parameters' JSON Schema."""

    name: str
    description: str = ""
    schema: str = "{}"
    cache_control: dict[str, Any] | None = None
    strict: bool = False


class ToolChoice(msgspec.Struct, frozen=True):
    mode: Literal["auto", "none", "any", "tool"] = "auto"
    name: str = ""
    parallel: bool = True


class ResponseFormat(msgspec.Struct, frozen=True):
    """`schema` is raw JSON text, only for `json_schema`."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str = ""
    schema: str = ""
    strict: bool = False


class Alternative(msgspec.Struct, frozen=True):
    """A token that the model might have said instead."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


class TokenLogprob(msgspec.Struct, frozen=True):
    """One token of an answer and its natural log probability. `bytes`: its UTF-8, if told
    (a token may be a part of a character). OpenAI and Ollama have the same fields."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: tuple[Alternative, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request in canonical form. None means: not said by the client."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    thinking: Literal["enabled", "adaptive", "disabled"] | None = None
    thinking_budget: int | None = None
    """Tokens; only with `thinking="enabled"`."""
    stream: bool = False
    include_usage: bool = False
    user: str = ""
    keep_alive: str | int | float | None = None
    options: dict[str, Any] = {}
    """Ollama's `options` that have no canonical field (num_ctx, mirostat, ...)."""
    extra: dict[str, str] = {}
    """What the client said and this form has no field for: path to raw JSON text.

    Kept so that two requests that differ only there are never taken for the same. An
    upstream format drops the harmless ones with a note and refuses the others; where
    client and upstream speak one protocol the client's own bytes carry them.
    """


class StopReason(Enum):
    """Canonical stop reasons; each protocol maps them to its own words."""

    END_TURN = "end_turn"
    STOP_SEQUENCE = "stop_sequence"
    MAX_TOKENS = "max_tokens"
    TOOL_USE = "tool_use"
    REFUSAL = "refusal"
    PAUSE_TURN = "pause_turn"
    CONTEXT_EXCEEDED = "model_context_window_exceeded"


class Usage(msgspec.Struct, frozen=True):
    """Tokens. `input` excludes cache reads and writes (Anthropic's convention)."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    """Part of `output`, where the upstream tells it."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One complete answer. `usage` is None if the upstream never told it."""

    id: str
    model: str
    blocks: tuple[Block, ...]
    stop_reason: StopReason
    stop_sequence: str | None = None
    raw_stop: str = ""
    """The upstream's own word for the reason, for the x-pihub-stop header."""
    usage: Usage | None = None
    created: int = 0
    """Unix seconds."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of all text of the answer, where asked for and told."""
    timings: dict[str, int] = {}
    """Ollama's durations in ns (total_duration, load_duration, ...), if any."""
