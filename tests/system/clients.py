"""The three client protocols as test parameters: how to ask, how to read an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end in a thread and loop of its own: a browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass(frozen=True)
class ClientCase:
    """One client protocol."""

    name: str
    path: str
    text: Callable[[Any], str]
    """Text of a whole answer."""
    stream_text: Callable[[bytes], str]
    complete: Callable[[bytes], bool]
    """Whether a stream's bytes end in the protocol's terminal marker."""
    stream_error: Callable[[bytes], bool]
    """Whether they end in an error of the protocol."""
    error: Callable[[Any], bool]
    """Whether a JSON body is the protocol's error envelope."""

    def body(self, model: str, prompt: str, *, stream: bool, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": stream,
        }
        if self.name == "ollama":
            options = {k: more.pop(k) for k in ("temperature",) if k in more}
            if options:
                body["options"] = options
        if self.name == "anthropic":
            body["max_tokens"] = 500
        return {**body, **more}

    def __str__(self) -> str:
        return self.name


def sse(raw: bytes) -> list[Any]:
    """The JSON of all data lines of an event stream."""
    out = []
    for line in raw.decode().splitlines():
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            out.append(json.loads(line[5:]))
    return out


def ndjson(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.decode().splitlines() if line.strip()]


def _openai_text(raw: bytes) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in sse(raw)
        for choice in chunk.get("choices", [])
    )


def _anthropic_text(raw: bytes) -> str:
    return "".join(
        event["delta"].get("text", "")
        for event in sse(raw)
        if event["type"] == "content_block_delta"
    )


OPENAI = ClientCase(
    "openai",
    "/v1/chat/completions",
    lambda a: a["choices"][0]["message"]["content"],
    _openai_text,
    lambda raw: raw.rstrip().endswith(b"data: [DONE]"),
    lambda raw: "error" in sse(raw)[-1] and b"[DONE]" not in raw,
    lambda a: set(a) == {"error"} and {"message", "type", "code"} <= set(a["error"]),
)
ANTHROPIC = ClientCase(
    "anthropic",
    "/v1/messages",
    lambda a: "".join(b.get("text", "") for b in a["content"]),
    _anthropic_text,
    lambda raw: sse(raw)[-1]["type"] == "message_stop",
    lambda raw: sse(raw)[-1]["type"] == "error" and b"message_stop" not in raw,
    lambda a: a["type"] == "error" and {"type", "message"} <= set(a["error"]),
)
OLLAMA = ClientCase(
    "ollama",
    "/api/chat",
    lambda a: a["message"]["content"],
    lambda raw: "".join(line.get("message", {}).get("content", "") for line in ndjson(raw)),
    lambda raw: ndjson(raw)[-1].get("done") is True,
    lambda raw: "error" in ndjson(raw)[-1] and not any(x.get("done") for x in ndjson(raw)),
    lambda a: isinstance(a.get("error"), str),
)
CLIENTS = (OPENAI, ANTHROPIC, OLLAMA)
