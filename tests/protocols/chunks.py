"""Chunks of an OpenAI stream, for tests that compose their own."""

from __future__ import annotations

import json
from typing import Any


def chunk(*choices: dict[str, Any], **fields: Any) -> bytes:
    body = {"id": "i", "created": 7, "model": "m", "choices": list(choices), **fields}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def delta(**fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": fields}


def tool(index: int | None, arguments: str, id_: str = "", name: str = "") -> dict[str, Any]:
    call: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id_:
        call["id"] = id_
    if name:
        call["function"]["name"] = name
    return delta(tool_calls=[call])


def finish(reason: str = "stop") -> dict[str, Any]:
    return {"index": 0, "delta": {}, "finish_reason": reason}


DONE = b"data: [DONE]\n\n"
