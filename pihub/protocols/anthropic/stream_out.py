"""Canonical events to Anthropic's event stream."""

from __future__ import annotations

from typing import Any

from pihub.domain.chat import Ask, Usage
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Finish,
    Ping,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.errors import PihubError
from pihub.protocols.anthropic.errors import envelope
from pihub.protocols.anthropic.wire import write_usage
from pihub.protocols.canonical import answer_id, estimate_input, restored_names
from pihub.protocols.jsontext import encode

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{'
_END = b"}}\n\n"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class AnthropicStream:
    """message_start once, then blocks, message_delta, message_stop."""

    content_type = "text/event-stream"

    __slots__ = ("_ask", "_names", "_started")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._names = restored_names(ask) if ask.tools else {}
        self._started = False

    def feed(self, event: Event) -> bytes:
        """The bytes for one event, empty if it has none in this protocol."""
        if isinstance(event, TextDelta):
            return _DELTA % event.index + b'"type":"text_delta","text":' + encode(event.text) + _END
        if isinstance(event, ToolInputDelta):
            text = encode(event.json)
            return _DELTA % event.index + b'"type":"input_json_delta","partial_json":' + text + _END
        if isinstance(event, ThinkingDelta):
            text = encode(event.text)
            return _DELTA % event.index + b'"type":"thinking_delta","thinking":' + text + _END
        if isinstance(event, SignatureDelta):
            text = encode(event.signature)
            return _DELTA % event.index + b'"type":"signature_delta","signature":' + text + _END
        if isinstance(event, BlockStart):
            return self._block_start(event)
        if isinstance(event, BlockStop):
            return _STOP % event.index
        if isinstance(event, Start):
            return self._start(event)
        if isinstance(event, Finish):
            return self._finish(event)
        if isinstance(event, Ping):
            # An upstream's comes after message_start; one with a note is the hub's own, sent
            # while nothing has started yet: "any number of ping events" may stand anywhere.
            told = self._started or event.note
            return b'event: ping\ndata: {"type":"ping"}\n\n' if told else b""
        return self.error(event.error, "")

    def error(self, error: PihubError, request_id: str) -> bytes:
        """An error event; the stream ends after it, without message_stop."""
        return b"event: error\ndata: " + encode(envelope(error, request_id)) + b"\n\n"

    def _start(self, event: Start) -> bytes:
        if self._started:
            return b""
        self._started = True
        # Clients read input_tokens here; without a word from the upstream it is an
        # estimate, which message_delta corrects.
        usage = event.usage if event.usage is not None else Usage(input=estimate_input(self._ask))
        return _event(
            "message_start",
            {
                "message": {
                    "id": answer_id("msg_", event.id),
                    "type": "message",
                    "role": "assistant",
                    "model": event.model or self._ask.model,
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                    "usage": write_usage(usage),
                }
            },
        )

    def _block_start(self, event: BlockStart) -> bytes:
        block: dict[str, Any]
        if event.kind == "tool_use":
            name = self._names.get(event.name, event.name)
            block = {"type": "tool_use", "id": event.id, "name": name, "input": {}}
        elif event.kind == "redacted_thinking":
            block = {"type": "redacted_thinking", "data": event.data}
        else:
            block = _EMPTY[event.kind]
        return _event("content_block_start", {"index": event.index, "content_block": block})

    def _finish(self, event: Finish) -> bytes:
        usage = write_usage(event.usage) if event.usage is not None else {"output_tokens": 0}
        fields = {
            "delta": {
                "stop_reason": event.stop_reason.value,
                "stop_sequence": event.stop_sequence,
            },
            "usage": usage,
        }
        stop = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        return _event("message_delta", fields) + stop


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: " % name.encode() + encode({"type": name, **fields}) + b"\n\n"
