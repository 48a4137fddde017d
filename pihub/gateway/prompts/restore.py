"""The values back in place of their stand-ins, in an answer as in a stream of one.

A stand-in may be cut anywhere between two pieces of a stream: what may be the beginning of one
is held back until it is clear. Thinking that its model signs stays as the model wrote it: the
signature is over those bytes, and the client sends them back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import msgspec

from pihub.domain.chat import Answer, Block, Text, Thinking, TokenLogprob, ToolUse
from pihub.domain.ports import Piece
from pihub.domain.stream import (
    BlockStop,
    Event,
    Finish,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.gateway.prompts.placeholder import FORM


class Restore:
    """One answer's. RAM: at most one stand-in is held back."""

    def __init__(
        self, values: Mapping[str, str], *, thinking: bool, in_json: bool = False
    ) -> None:
        """`thinking`: also in the model's thinking. `in_json`: the text is JSON, as was asked."""
        self._values = values
        self._escaped = {name: _in_json(value) for name, value in values.items()}
        self._longest = max(map(len, values), default=1)
        self._thinking = thinking
        self._in_json = in_json
        self._held = ""
        self._last: Event | None = None
        """What the held text came with."""
        self._logprobs: list[TokenLogprob] = []

    def text(self, text: str) -> str:
        return self.json(text) if self._in_json else self._plain(text)

    def _plain(self, text: str) -> str:
        return FORM.sub(lambda found: self._values.get(found[0], found[0]), text)

    def json(self, text: str) -> str:
        """The same within JSON text."""
        return FORM.sub(lambda found: self._escaped.get(found[0], found[0]), text)

    def answer(self, answer: Answer) -> Answer:
        """A whole one."""
        return msgspec.structs.replace(answer, blocks=tuple(map(self._block, answer.blocks)))

    def pieces(self, source: Iterator[Piece]) -> Iterator[Piece]:
        """A stream's; closes `source` at its end, whatever that is."""
        try:
            for piece in source:
                events = tuple([out for event in piece.events for out in self.feed(event)])
                yield piece._replace(events=events)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def feed(self, event: Event) -> list[Event]:
        """What may go on of `event` and of what was held."""
        if isinstance(event, TextDelta):
            self._logprobs += event.logprobs
            ready = self.text(self._clear(event, event.text))
            if not ready:
                return []
            weighed, self._logprobs = tuple(self._logprobs), []
            return [TextDelta(event.index, ready, weighed)]
        if isinstance(event, ThinkingDelta) and self._thinking:
            ready = self._plain(self._clear(event, event.text))
            return [ThinkingDelta(event.index, ready)] if ready else []
        if isinstance(event, ToolInputDelta):
            ready = self.json(self._clear(event, event.json))
            return [ToolInputDelta(event.index, ready)] if ready else []
        if isinstance(event, BlockStop | Finish) and self._held:
            return [self._rest(), event]
        return [event]

    def _clear(self, event: Event, text: str) -> str:
        """What cannot be the beginning of a stand-in any more; the rest is held."""
        text = self._held + text
        at = text.rfind("[")
        tail = text[at:] if at >= 0 else ""
        waits = 0 < len(tail) < self._longest and any(
            len(tail) < len(name) and name.startswith(tail) for name in self._values
        )
        self._held, self._last = (tail, event) if waits else ("", None)
        return text[:at] if waits else text

    def _rest(self) -> Event:
        """It was no stand-in."""
        text, self._held = self._held, ""
        last, self._last = self._last, None
        assert isinstance(last, TextDelta | ThinkingDelta | ToolInputDelta)
        if isinstance(last, TextDelta):
            weighed, self._logprobs = tuple(self._logprobs), []
            return TextDelta(last.index, text, weighed)
        if isinstance(last, ThinkingDelta):
            return ThinkingDelta(last.index, text)
        return ToolInputDelta(last.index, text)

    def _block(self, block: Block) -> Block:
        if isinstance(block, Text):
            return msgspec.structs.replace(block, text=self.text(block.text))
        if isinstance(block, Thinking) and self._thinking:
            return msgspec.structs.replace(block, text=self._plain(block.text))
        if isinstance(block, ToolUse):
            return msgspec.structs.replace(block, input=self.json(block.input))
        return block


def _in_json(value: str) -> str:
    """As it stands within a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]
