"""Canonical events to OpenAI's chat.completion.chunk stream."""

from __future__ import annotations

import time
from typing import Any

from pihub.domain.chat import Ask
from pihub.domain.stream import (
    BlockStart,
    Event,
    Failed,
    Finish,
    Ping,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.errors import PihubError
from pihub.protocols import logprobs
from pihub.protocols.canonical import answer_id, restored_names
from pihub.protocols.jsontext import encode
from pihub.protocols.openai.errors import envelope
from pihub.protocols.openai.response import FINISHES
from pihub.protocols.openai.wire import write_usage
from pihub.protocols.sse import ping


class OpenAIStream:
    """Every chunk carries the same id, created and model; only the first has a role."""

    content_type = "text/event-stream"

    __slots__ = ("_ask", "_head", "_names", "_null_usage", "_started", "_tail", "_tools")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._names = restored_names(ask) if ask.tools else {}
        self._tools = -1
        self._started = False
        self._head = b""
        # With include_usage every chunk but the last says that it has none.
        self._null_usage = b',"usage":null' if ask.include_usage else b""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._null_usage + b"}\n\n"

    def feed(self, event: Event) -> bytes:
        """The bytes for one event, empty if it has none in this protocol."""
        if isinstance(event, TextDelta):
            said = self._head + b'{"content":' + encode(event.text) + b"}"
            return said + (self._weighed(event) if event.logprobs else self._tail)
        if isinstance(event, ToolInputDelta):
            head = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % self._tools
            return self._head + head + encode(event.json) + b"}}]}" + self._tail
        if isinstance(event, ThinkingDelta):
            return self._head + b'{"reasoning_content":' + encode(event.text) + b"}" + self._tail
        if isinstance(event, BlockStart):
            return self._block_start(event) if event.kind == "tool_use" else b""
        if isinstance(event, Start):
            return self._start(event)
        if isinstance(event, Finish):
            return self._finish(event)
        if isinstance(event, Ping):
            return ping(event.note)
        if isinstance(event, Failed):
            return self.error(event.error, "")
        return b""

    def error(self, error: PihubError, request_id: str) -> bytes:
        """An error chunk; the stream ends after it, without finish_reason or [DONE]."""
        body = envelope(error)
        if request_id:
            body["error"]["request_id"] = request_id
        return b"data: " + encode(body) + b"\n\n"

    def _weighed(self, event: TextDelta) -> bytes:
        if not self._ask.logprobs:
            return self._tail
        told = encode(logprobs.chat(event.logprobs))
        return b',"logprobs":' + told + b',"finish_reason":null}]' + self._null_usage + b"}\n\n"

    def _start(self, event: Start) -> bytes:
        if self._started:
            return b""
        self._started = True
        fields = encode(
            {
                "id": answer_id("chatcmpl-", event.id),
                "object": "chat.completion.chunk",
                "created": event.created or int(time.time()),
                "model": event.model or self._ask.model,
            }
        )
        self._head = b"data: " + fields[:-1] + b',"choices":[{"index":0,"delta":'
        return self._head + b'{"role":"assistant","content":""}' + self._tail

    def _block_start(self, event: BlockStart) -> bytes:
        self._tools += 1
        delta: dict[str, Any] = {
            "tool_calls": [
                {
                    "index": self._tools,
                    "id": event.id,
                    "type": "function",
                    "function": {
                        "name": self._names.get(event.name, event.name),
                        "arguments": "",
                    },
                }
            ]
        }
        return self._head + encode(delta) + self._tail

    def _finish(self, event: Finish) -> bytes:
        word = FINISHES[event.stop_reason].encode()
        last = self._head + b'{},"logprobs":null,"finish_reason":"' + word + b'"}]'
        last += self._null_usage + b"}\n\n"
        if self._ask.include_usage and event.usage is not None:
            fields = self._head[: self._head.index(b',"choices":')]
            last += fields + b',"choices":[],"usage":' + encode(write_usage(event.usage)) + b"}\n\n"
        return last + b"data: [DONE]\n\n"
