"""An Anthropic event stream to canonical events. The terminal marker is message_stop.

Unknown event, block and delta types are skipped, by Anthropic's versioning rule; blocks
keep their order and get new indices without gaps.
"""

from __future__ import annotations

import msgspec

from pihub.domain.chat import StopReason, Usage
from pihub.domain.ports import Piece
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Failed,
    Finish,
    Ping,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.protocols.anthropic.response import STOPS
from pihub.protocols.anthropic.wire import EventDelta, StreamEvent, merge_usage
from pihub.protocols.canonical import mint
from pihub.protocols.faults import from_body
from pihub.protocols.jsontext import is_json
from pihub.protocols.sse import SSESplitter, SSEvent

_DECODER = msgspec.json.Decoder(StreamEvent)


class AnthropicStreamParser:
    """See StreamParser. RAM: one unfinished event, at most 8 MiB."""

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.malformed = 0
        self._split = SSESplitter()
        self._usage: Usage | None = None
        self._started = False
        self._wire_index = -1
        """The upstream's index of the open block, -1 if none is open or it is skipped."""
        self._index = -1
        self._kind = ""
        self._input = ""
        self._stop = ""
        self._sequence: str | None = None

    def feed(self, data: bytes) -> list[Piece]:
        if self.done:
            return []
        return [piece for event in self._split.feed(data) if (piece := self._piece(event))]

    def eof(self) -> list[Piece]:
        if self.done:
            return []
        return [piece for event in self._split.eof() if (piece := self._piece(event))]

    def _piece(self, event: SSEvent) -> Piece | None:
        if self.done:
            return None
        if event.data is None:
            return Piece(event.raw, (Ping(),) if event.comment else ())
        try:
            wire = _DECODER.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if event.name == b"error":
                return self._fail(event)
            self.malformed += 1
            return Piece(event.raw if is_json(event.data) else b"", ())
        kind = wire.type
        if kind == "content_block_delta":
            return Piece(event.raw, self._delta(wire))
        if kind == "content_block_start":
            return Piece(event.raw, self._block_start(wire))
        if kind == "content_block_stop":
            return Piece(event.raw, self._block_stop(wire.index))
        if kind == "message_start":
            return Piece(event.raw, self._message_start(wire))
        if kind == "message_delta":
            return Piece(event.raw, self._message_delta(wire))
        if kind == "message_stop":
            return Piece(event.raw, self._message_stop())
        if kind == "ping":
            return Piece(event.raw, (Ping(),))
        if kind == "error":
            return self._fail(event)
        return Piece(event.raw, ())

    def _fail(self, event: SSEvent) -> Piece:
        self.done = True
        return Piece(event.raw, (Failed(from_body(200, event.data or b"")),))

    def _message_start(self, wire: StreamEvent) -> tuple[Event, ...]:
        message = wire.message
        if message is None or self._started:
            self.malformed += 1
            return ()
        if message.usage is not None:
            self._usage = merge_usage(None, message.usage)
        self._started = True
        return (Start(message.id or mint("msg_"), message.model, self._usage),)

    def _block_start(self, wire: StreamEvent) -> tuple[Event, ...]:
        block = wire.content_block
        if block is None or not self._started:
            self.malformed += 1
            return ()
        events = list(self._close())
        kind = block.type
        self._kind = kind
        self._wire_index = wire.index
        self._input = ""
        index = self._index + 1
        if kind == "text":
            events.append(BlockStart(index, "text"))
            if block.text:
                events.append(TextDelta(index, block.text))
        elif kind == "tool_use":
            events.append(BlockStart(index, "tool_use", id=block.id, name=block.name))
            # Some servers put the whole input here and send no delta.
            text = bytes(block.input).decode()
            self._input = "" if text in ("", "{}", "null") else text
        elif kind == "thinking":
            events.append(BlockStart(index, "thinking"))
            if block.thinking:
                events.append(ThinkingDelta(index, block.thinking))
            if block.signature:
                events.append(SignatureDelta(index, block.signature))
        elif kind == "redacted_thinking":
            events.append(BlockStart(index, "redacted_thinking", data=block.data))
        else:
            self._kind = ""
            return tuple(events)
        self._index = index
        return tuple(events)

    def _delta(self, wire: StreamEvent) -> tuple[Event, ...]:
        delta = wire.delta
        if delta is None or wire.index != self._wire_index:
            self.malformed += 1
            return ()
        return self._block_delta(delta)

    def _block_delta(self, delta: EventDelta) -> tuple[Event, ...]:
        kind, block = delta.type, self._kind
        if kind == "text_delta" and block == "text":
            return (TextDelta(self._index, delta.text),) if delta.text else ()
        if kind == "input_json_delta" and block == "tool_use":
            self._input = ""
            return (ToolInputDelta(self._index, delta.partial_json),) if delta.partial_json else ()
        if kind == "thinking_delta" and block == "thinking":
            return (ThinkingDelta(self._index, delta.thinking),) if delta.thinking else ()
        if kind == "signature_delta" and block == "thinking":
            return (SignatureDelta(self._index, delta.signature),)
        return ()  # citations_delta and others to come

    def _block_stop(self, index: int) -> tuple[Event, ...]:
        if index != self._wire_index:
            self.malformed += 1
            return ()
        return self._close()

    def _close(self) -> tuple[Event, ...]:
        kind, self._kind, self._wire_index = self._kind, "", -1
        if not kind:
            return ()
        if self._input:
            return (ToolInputDelta(self._index, self._input), BlockStop(self._index))
        return (BlockStop(self._index),)

    def _message_delta(self, wire: StreamEvent) -> tuple[Event, ...]:
        if wire.usage is not None:
            self._usage = merge_usage(self._usage, wire.usage)
        if wire.delta is not None:
            if wire.delta.stop_reason is not None:
                self._stop = wire.delta.stop_reason
            if wire.delta.stop_sequence is not None:
                self._sequence = wire.delta.stop_sequence
        return ()

    def _message_stop(self) -> tuple[Event, ...]:
        if not self._started:
            self.malformed += 1
            return ()
        self.finished = self.done = True
        reason = STOPS.get(self._stop, StopReason.END_TURN)
        finish = Finish(reason, self._sequence, self._stop, self._usage)
        return (*self._close(), finish)
