"""Writes non-overlapping canonical blocks: one open at a time, indices rising by one."""

from __future__ import annotations

from typing import Literal

from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.protocols.logprobs import Tokens
from pihub.protocols.thinktags import ThinkSplitter


class BlockWriter:
    """Opens, continues and closes blocks by the kind of what arrives."""

    __slots__ = ("_logprobs", "_thoughts", "index", "open")

    def __init__(self) -> None:
        self.index = -1
        self._thoughts: ThinkSplitter | None = ThinkSplitter()
        self.open: Literal["", "text", "thinking", "tool_use"] = ""
        self._logprobs: Tokens = ()

    def weigh(self, logprobs: Tokens) -> None:
        """The probabilities of the text that comes next; those of thoughts are no text's."""
        self._logprobs += logprobs

    def said(self, text: str, events: list[Event]) -> None:
        """Text as a model wrote it: thoughts in tags at its beginning are told apart."""
        splitter = self._thoughts
        if splitter is None:
            self.text(text, events)
            return
        self._split(splitter.feed(text), events)
        if splitter.over:
            self._thoughts = None

    def _split(self, parts: list[tuple[bool, str]], events: list[Event]) -> None:
        for thought, part in parts:
            if thought:
                self.thinking(part, events)
            else:
                self.text(part, events)

    def text(self, text: str, events: list[Event]) -> None:
        if self.open != "text":
            self.close(events)
            self._start(BlockStart(self.index + 1, "text"), events)
            self.open = "text"
        events.append(TextDelta(self.index, text, self._logprobs))
        self._logprobs = ()

    def thinking(self, text: str, events: list[Event]) -> None:
        if self.open != "thinking":
            self.close(events)
            self._start(BlockStart(self.index + 1, "thinking"), events)
            self.open = "thinking"
        events.append(ThinkingDelta(self.index, text))
        self._logprobs = ()

    def tool(self, id_: str, name: str, events: list[Event]) -> None:
        """Open a tool call; its input follows with `input`."""
        self.close(events)
        self._logprobs = ()
        self._start(BlockStart(self.index + 1, "tool_use", id=id_, name=name), events)
        self.open = "tool_use"

    def input(self, json: str, events: list[Event]) -> None:
        if json:
            events.append(ToolInputDelta(self.index, json))

    def end(self, events: list[Event]) -> None:
        """No more text comes: what may have been the beginning of a tag was none."""
        splitter, self._thoughts = self._thoughts, None
        if splitter is not None:
            self._split(splitter.end(), events)

    def close(self, events: list[Event]) -> None:
        if self._logprobs and self.open == "text":
            events.append(TextDelta(self.index, "", self._logprobs))
            self._logprobs = ()
        if self.open:
            events.append(BlockStop(self.index))
            self.open = ""

    def _start(self, event: BlockStart, events: list[Event]) -> None:
        self.index = event.index
        events.append(event)
