"""Canonical stream events: what every upstream stream parses into.

Order, as in the Anthropic stream: Start, then for each block BlockStart, its deltas,
BlockStop (blocks never overlap, indices rise by one), then Finish. A stream without
Finish is incomplete. Ping may stand anywhere. Failed ends a stream that broke.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pihub.domain.chat import Answer, StopReason, TokenLogprob, Usage
from pihub.errors import PihubError


class Start(msgspec.Struct, frozen=True):
    """`usage` is the upstream's first word on it (a snapshot); `created` is unix seconds."""

    id: str
    model: str
    usage: Usage | None = None
    created: int = 0


class BlockStart(msgspec.Struct, frozen=True):
    """`id` and `name` only for tool_use; `data` only for redacted_thinking."""

    index: int
    kind: Literal["text", "thinking", "redacted_thinking", "tool_use"]
    id: str = ""
    name: str = ""
    data: str = ""


class TextDelta(msgspec.Struct, frozen=True):
    index: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class ThinkingDelta(msgspec.Struct, frozen=True):
    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True):
    index: int
    signature: str


class ToolInputDelta(msgspec.Struct, frozen=True):
    """A piece of the raw JSON text of the tool's input."""

    index: int
    json: str


class BlockStop(msgspec.Struct, frozen=True):
    index: int


class Finish(msgspec.Struct, frozen=True):
    """The terminal marker. `usage` is cumulative; None if never told."""

    stop_reason: StopReason
    stop_sequence: str | None = None
    raw_stop: str = ""
    usage: Usage | None = None
    timings: dict[str, int] = {}


class Ping(msgspec.Struct, frozen=True):
    """`note`: what is waited for, where a protocol has room for a word."""

    note: str = ""


class Failed:
    """The upstream reported an error inside its stream."""

    __slots__ = ("error",)

    def __init__(self, error: PihubError) -> None:
        self.error = error


Event = (
    Start
    | BlockStart
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | ToolInputDelta
    | BlockStop
    | Finish
    | Ping
    | Failed
)

__all__ = [
    "Answer",
    "BlockStart",
    "BlockStop",
    "Event",
    "Failed",
    "Finish",
    "Ping",
    "SignatureDelta",
    "Start",
    "TextDelta",
    "ThinkingDelta",
    "ToolInputDelta",
]
