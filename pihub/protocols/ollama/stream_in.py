"""Ollama's NDJSON stream to canonical events. The terminal marker is `done: true`."""

from __future__ import annotations

import msgspec

from pihub.domain.chat import StopReason
from pihub.domain.ports import Piece
from pihub.domain.stream import Event, Failed, Finish, Start
from pihub.protocols import logprobs
from pihub.protocols.blocks import BlockWriter
from pihub.protocols.canonical import mint, settled, unix_seconds
from pihub.protocols.faults import from_body
from pihub.protocols.jsontext import is_json
from pihub.protocols.ndjson import NDJSONSplitter
from pihub.protocols.ollama.response import STOPS
from pihub.protocols.ollama.wire import (
    Line,
    WireMessage,
    message_of,
    read_timings,
    read_usage,
)

_DECODER = msgspec.json.Decoder(Line)


class OllamaStreamParser:
    """See StreamParser. RAM: one unfinished line, at most 8 MiB."""

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.malformed = 0
        self._split = NDJSONSplitter()
        self._blocks = BlockWriter()
        self._started = False
        self._tools = False

    def feed(self, data: bytes) -> list[Piece]:
        if self.done:
            return []
        return [piece for raw in self._split.feed(data) if (piece := self._piece(raw))]

    def eof(self) -> list[Piece]:
        if self.done:
            return []
        return [piece for raw in self._split.eof() if (piece := self._piece(raw))]

    def _piece(self, raw: bytes) -> Piece | None:
        if self.done:
            return None
        if raw in (b"\n", b"\r\n"):
            return Piece(raw, ())
        try:
            line = _DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.malformed += 1
            return Piece(raw if is_json(raw) else b"", ())
        if bytes(line.error) not in (b"", b"null", b'""'):
            self.done = True
            return Piece(raw, (Failed(from_body(200, raw)),))
        events: list[Event] = []
        message = message_of(line)
        if not self._started:
            if message is None and not line.done:  # JSON, but not this format
                self.malformed += 1
                return Piece(raw, ())
            self._started = True
            created = unix_seconds(line.created_at)
            events.append(Start(mint("chatcmpl-"), line.model, created=created))
        if message is not None:
            if message.content:
                self._blocks.weigh(logprobs.read(line.logprobs))
            self._message(message, events)
        if line.done:
            self._blocks.end(events)
            self._blocks.close(events)
            word = line.done_reason or ""
            reason = STOPS.get(word, StopReason.END_TURN)
            events.append(
                Finish(
                    settled(reason, has_tools=self._tools),
                    raw_stop=word,
                    usage=read_usage(line),
                    timings=read_timings(line),
                )
            )
            self.finished = self.done = True
        return Piece(raw, tuple(events))

    def _message(self, message: WireMessage, events: list[Event]) -> None:
        if message.thinking:
            self._blocks.thinking(message.thinking, events)
        if message.content:
            self._blocks.said(message.content, events)
        if message.tool_calls:
            self._blocks.end(events)
        for call in message.tool_calls or ():
            if call.function is None or not call.function.name:
                self.malformed += 1
                continue
            self._tools = True
            text = bytes(call.function.arguments).decode()
            self._blocks.tool(call.id or mint("call_"), call.function.name, events)
            self._blocks.input("{}" if text in ("", "null") else text, events)
            self._blocks.close(events)
