"""An OpenAI chunk stream to canonical events.

The terminal marker is a `finish_reason`; `[DONE]` only says that nothing follows. The
Finish event waits for `[DONE]` or the end of the body, because usage may come in the
finish chunk, after it, or with choices whose delta is empty.
"""

from __future__ import annotations

import msgspec

from pihub.domain.chat import StopReason, Usage
from pihub.domain.ports import Piece
from pihub.domain.stream import Event, Failed, Finish, Ping, Start
from pihub.protocols import logprobs
from pihub.protocols.blocks import BlockWriter
from pihub.protocols.canonical import count, mint, settled
from pihub.protocols.faults import from_body
from pihub.protocols.jsontext import is_json
from pihub.protocols.openai.response import STOPS
from pihub.protocols.openai.tool_deltas import ToolDeltas
from pihub.protocols.openai.wire import Chunk, Delta, read_usage
from pihub.protocols.sse import SSESplitter, SSEvent

_DECODER = msgspec.json.Decoder(Chunk)


class OpenAIStreamParser:
    """See StreamParser. RAM: one unfinished event, and the arguments of parallel tool
    calls that wait for an earlier one; both bounded by the 8 MiB of an event."""

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.malformed = 0
        self._split = SSESplitter()
        self._blocks = BlockWriter()
        self._tools = ToolDeltas(self._blocks)
        self._started = False
        self._ended = False
        self._stop = ""
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> list[Piece]:
        if self.done:
            return []
        return [piece for event in self._split.feed(data) if (piece := self._piece(event))]

    def eof(self) -> list[Piece]:
        if self.done:
            return []
        pieces = [piece for event in self._split.eof() if (piece := self._piece(event))]
        if self.finished and not self.done:
            self.done = True
            pieces.append(Piece(b"", self._finish()))
        return pieces

    def _piece(self, event: SSEvent) -> Piece | None:
        if self.done:
            return None
        data = event.data
        if data is None:
            return Piece(event.raw, (Ping(),) if event.comment else ())
        if data.strip() == b"[DONE]":
            self.done = True
            # Without a finish_reason it ends nothing, and must not tell the client so.
            if not self.finished:
                return Piece(b"", ())
            return Piece(event.raw, self._finish())
        try:
            chunk = _DECODER.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.malformed += 1
            return Piece(event.raw if is_json(data) else b"", ())
        if event.name == b"error" or bytes(chunk.error) not in (b"", b"null"):
            if self.finished:
                return Piece(event.raw, ())
            self.done = True
            return Piece(event.raw, (Failed(from_body(200, data)),))
        return Piece(event.raw, self._chunk(chunk), not chunk.choices and chunk.usage is not None)

    def _chunk(self, chunk: Chunk) -> tuple[Event, ...]:
        events: list[Event] = []
        if chunk.usage is not None:
            self._usage = read_usage(chunk.usage)
        if not self._started:
            self._started = True
            events.append(
                Start(
                    chunk.id or mint("chatcmpl-"),
                    chunk.model or "",
                    created=count(chunk.created),
                )
            )
        for choice in chunk.choices or ():
            if choice.index or self.finished:
                continue
            self._blocks.weigh(logprobs.read(choice.logprobs))
            if choice.delta is not None:
                self._delta(choice.delta, events)
            elif choice.text:
                self._blocks.text(choice.text, events)
            if choice.finish_reason:
                self._stop = choice.finish_reason
                self.malformed += self._tools.flush(events)
                self._blocks.end(events)
                self._blocks.close(events)
                self.finished = True
        return tuple(events)

    def _delta(self, delta: Delta, events: list[Event]) -> None:
        if thought := delta.reasoning_content or delta.reasoning:
            self.malformed += self._tools.flush(events)
            self._blocks.thinking(thought, events)
        if text := delta.content or delta.refusal:
            self.malformed += self._tools.flush(events)
            self._blocks.said(text, events)
        if delta.tool_calls:
            self._blocks.end(events)
            for call in delta.tool_calls:
                if not self._tools.feed(call, events):
                    self.malformed += 1

    def _finish(self) -> tuple[Event, ...]:
        reason = STOPS.get(self._stop, StopReason.END_TURN)
        return (
            Finish(
                settled(reason, has_tools=self._tools.any),
                raw_stop=self._stop,
                usage=self._usage,
            ),
        )
