"""Canonical events to Ollama's NDJSON stream."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pihub.domain.chat import Ask
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Failed,
    Finish,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.errors import PihubError
from pihub.protocols.canonical import restored_names
from pihub.protocols.jsontext import compact, encode
from pihub.protocols.logprobs import plain
from pihub.protocols.ollama.errors import envelope
from pihub.protocols.ollama.response import done_reason
from pihub.protocols.ollama.wire import write_end


class OllamaStream:
    """`done: false` lines, tool calls whole, then one line with durations and counts.

    RAM: the input of one tool call, which this format cannot stream.
    """

    content_type = "application/x-ndjson"

    __slots__ = ("_ask", "_begun", "_call", "_head", "_input", "_model", "_names", "_second")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._names = restored_names(ask) if ask.tools else {}
        self._begun = time.monotonic_ns()
        self._model = encode(ask.model)
        self._second = -1
        self._head = b""
        self._call: BlockStart | None = None
        self._input: list[str] = []

    def feed(self, event: Event) -> bytes:
        """The bytes for one event, empty if it has none in this protocol."""
        if isinstance(event, TextDelta):
            return self._line(b'"content":' + encode(event.text), self._weighed(event))
        if isinstance(event, ToolInputDelta):
            self._input.append(event.json)
            return b""
        if isinstance(event, ThinkingDelta):
            return self._line(b'"content":"","thinking":' + encode(event.text))
        if isinstance(event, BlockStart):
            self._call = event if event.kind == "tool_use" else None
            return b""
        if isinstance(event, BlockStop):
            return self._tool_call() if self._call is not None else b""
        if isinstance(event, Start):
            self._model = encode(event.model or self._ask.model)
            self._second = -1
            return b""
        if isinstance(event, Finish):
            return self._finish(event)
        if isinstance(event, Failed):
            return self.error(event.error, "")
        return b""

    def error(self, error: PihubError, request_id: str) -> bytes:
        """An error line; the stream ends after it, without `done: true`."""
        return encode(envelope(error, request_id)) + b"\n"

    def _line(self, fields: bytes, more: bytes = b"") -> bytes:
        said = self._now() + b'"message":{"role":"assistant",' + fields + b'},"done":false'
        return said + more + b"}\n"

    def _weighed(self, event: TextDelta) -> bytes:
        if not event.logprobs or not self._ask.logprobs:
            return b""
        return b',"logprobs":' + encode(plain(event.logprobs))

    def _now(self) -> bytes:
        """`{"model":...,"created_at":...,` of this moment; the second is formatted once."""
        second, nanos = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
            self._head = b'{"model":' + self._model + b',"created_at":"' + stamp
        return self._head + b'.%09dZ",' % nanos

    def _tool_call(self) -> bytes:
        call, self._call = self._call, None
        text, self._input = "".join(self._input) or "{}", []
        if call is None:
            return b""
        function: dict[str, Any] = {
            "name": self._names.get(call.name, call.name),
            # A line may hold no line end, so whitespace between the tokens goes.
            "arguments": msgspec.Raw(compact(text)),
        }
        calls = encode([{"id": call.id, "function": function}])
        return self._line(b'"content":"","tool_calls":' + calls)

    def _finish(self, event: Finish) -> bytes:
        return self._now() + b'"message":{"role":"assistant","content":""},' + self._end(event)

    def _end(self, event: Finish) -> bytes:
        """The rest of the last line, from `"done":true` on."""
        elapsed = time.monotonic_ns() - self._begun
        rest = encode(
            {
                "done": True,
                "done_reason": done_reason(event.stop_reason, event.raw_stop),
                **write_end(event.usage, event.timings, elapsed),
            }
        )
        return rest[1:] + b"\n"
