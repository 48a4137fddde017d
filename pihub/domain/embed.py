"""The canonical form of an embedding request and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class EmbedAsk(msgspec.Struct, frozen=True, kw_only=True):
    """`inputs` are texts, or lists of token numbers (which only OpenAI's format knows)."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    base64: bool = False
    """Little-endian 32-bit floats in base64 instead of lists of numbers."""
    truncate: bool | None = None
    """Ollama: cut what does not fit, or refuse it; None: its default, to cut."""
    user: str = ""
    keep_alive: str | int | float | None = None
    options: dict[str, Any] = {}
    extra: Mapping[str, str] = {}
    """Unknown fields as raw JSON text; they are dropped with a note."""


class Vectors(msgspec.Struct, frozen=True, kw_only=True):
    """One vector an input, in order. `tokens` is None if the upstream did not tell."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    tokens: int | None = None
    timings: dict[str, int] = {}
    """Ollama's durations in ns."""
