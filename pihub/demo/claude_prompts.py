"""The simulated Claude's prompt cache: prefixes up to a `cache_control` mark, for five minutes.

Source: Anthropic's documentation, "Prompt caching": the longest kept prefix is read, the rest
up to the last mark is written; nothing is kept below the model's minimum.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from pihub.demo import answers

MOST_MARKS = 4
KEPT = 300.0
MOST = 10_000
"""Prefixes remembered; the oldest go first."""
LEAST = (("haiku-4-5", 4096), ("haiku", 2048), ("opus-4-5", 4096), ("", 1024))


class PromptCache:
    def __init__(self) -> None:
        self._kept: dict[bytes, float] = {}

    def take(self, model: str, body: dict[str, Any]) -> tuple[int, int]:
        """(tokens read, tokens written)"""
        least = next(tokens for name, tokens in LEAST if name in model)
        now = time.monotonic()
        digest = hashlib.sha256(model.encode())
        tokens = 0
        ends: list[tuple[bytes, int]] = []
        read = 0
        for text, marked in _blocks(body):
            digest.update(text.encode() + b"\0")
            tokens += answers.count_tokens(text)
            key = digest.digest()
            if self._kept.get(key, 0.0) > now:
                read = tokens
            if marked and tokens >= least:
                ends.append((key, tokens))
        if not ends:
            return 0, 0
        for key, _ in ends:
            self._kept.pop(key, None)
            self._kept[key] = now + KEPT
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        read = min(read, ends[-1][1])
        return read, ends[-1][1] - read


def count_marks(body: dict[str, Any]) -> int:
    return sum(marked for _, marked in _blocks(body))


def _blocks(body: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(text, marked) in the vendor's order: tools, system, messages."""
    for tool in body.get("tools") or []:
        yield json.dumps({**tool, "cache_control": None}), "cache_control" in tool
    yield from _content(body.get("system"))
    for message in body["messages"]:
        yield message["role"], False
        yield from _content(message.get("content"))


def _content(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, False
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, dict):
                yield answers.text_of([part]), "cache_control" in part
