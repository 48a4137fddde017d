"""Parallel tool calls of an OpenAI stream, put one after another.

Upstreams may interleave the calls by `index`; canonical blocks may not overlap. The
first call streams as it comes; later ones wait until its arguments are complete JSON
(then the next opens) or until the end of the tool calls. Servers exist that leave out
`index`, reuse 0 for every call, repeat the name, send it late, or mint no id.
"""

from __future__ import annotations

from pihub.domain.stream import Event
from pihub.protocols.blocks import BlockWriter
from pihub.protocols.canonical import mint
from pihub.protocols.jsontext import is_object
from pihub.protocols.openai.wire import ToolDelta


class _Call:
    __slots__ = ("id", "name", "parts")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.parts: list[str] = []

    def complete(self) -> bool:
        """The arguments so far are a JSON object; none yet may still be streamed."""
        # Only a closing brace can complete an object: spares parsing at every delta.
        return (
            bool(self.parts)
            and self.parts[-1].rstrip().endswith("}")
            and is_object("".join(self.parts))
        )


class ToolDeltas:
    """One stream's calls in order of appearance; `_current` is the one that is open."""

    __slots__ = ("_blocks", "_by_index", "_calls", "_current", "_last", "any")

    def __init__(self, blocks: BlockWriter) -> None:
        self._blocks = blocks
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._current: _Call | None = None
        self._last: _Call | None = None
        self.any = False

    def feed(self, delta: ToolDelta, events: list[Event]) -> bool:
        """False if the delta belongs to a call that is already closed, or to none."""
        call = self._call(delta)
        if call is None:
            return False
        self._last = call
        function = delta.function
        text = ""
        if delta.id and not call.id:
            call.id = delta.id
        if function is not None:
            if function.name and not call.name:
                call.name = function.name
            text = function.arguments or ""
        if call is self._current:
            if text:
                call.parts.append(text)
                self._blocks.input(text, events)
        elif call in self._calls:
            call.parts.append(text)
        else:  # closed
            return not text.strip()
        self._advance(events)
        return True

    def flush(self, events: list[Event]) -> int:
        """Close the open call and write all waiting ones: the tool calls are over.

        Returns the number of calls that never got a name and are lost.
        """
        lost = 0
        self._current = None
        for call in self._calls:
            if call.name:
                self._open(call, events)
            else:
                lost += 1
        self._calls.clear()
        if self._blocks.open == "tool_use":
            self._blocks.close(events)
        return lost

    def _call(self, delta: ToolDelta) -> _Call | None:
        function = delta.function
        if delta.index is None:
            fresh = bool(delta.id) or (function is not None and bool(function.name))
            if not fresh or (self._last is not None and delta.id and delta.id == self._last.id):
                return self._last
            return self._new()
        call = self._by_index.get(delta.index)
        # A repeated index with another id and a name is another call; with only another
        # id it is one of the servers that mint an id for every delta.
        named = function is not None and bool(function.name)
        if call is None or (named and delta.id and call.id and delta.id != call.id):
            call = self._by_index[delta.index] = self._new()
        return call

    def _new(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    def _advance(self, events: list[Event]) -> None:
        """Open the first waiting call as soon as the open one is complete."""
        while True:
            current = self._current
            if current is not None:
                if not self._calls or not current.complete():
                    return
                self._current = None
            if not self._calls or not self._calls[0].name:
                return
            call = self._calls.pop(0)
            self._open(call, events)
            self._current = call

    def _open(self, call: _Call, events: list[Event]) -> None:
        self.any = True
        self._blocks.tool(call.id or mint("call_"), call.name, events)
        self._blocks.input("".join(call.parts), events)
