"""Stream events to an answer, and an answer to stream events.

The two are inverse: `collect(replay(answer)) == answer`. The gateway keeps answers in
its caches and replays them as streams; it asks a streaming upstream and collects for a
client that did not ask for a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pihub.domain.chat import Answer, Block, RedactedThinking, Text, Thinking, ToolUse, Usage
from pihub.domain.stream import (
    BlockStart,
    BlockStop,
    Event,
    Failed,
    Finish,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from pihub.errors import UpstreamIncomplete


class Collector:
    """Folds events into an Answer. RAM: the answer's own size, bounded by the caller."""

    __slots__ = ("_blocks", "_finish", "_open", "_parts", "_signature", "_start")

    def __init__(self) -> None:
        self._start: Start | None = None
        self._finish: Finish | None = None
        self._blocks: list[Block] = []
        self._open: BlockStart | None = None
        self._parts: list[str] = []
        self._signature = ""

    @property
    def finished(self) -> bool:
        """A Finish was seen."""
        return self._finish is not None

    def feed(self, event: Event) -> None:
        """Take one event, in order. Raises the error of a Failed."""
        if isinstance(event, TextDelta | ThinkingDelta):
            self._parts.append(event.text)
        elif isinstance(event, ToolInputDelta):
            self._parts.append(event.json)
        elif isinstance(event, BlockStart):
            self._open = event
        elif isinstance(event, BlockStop):
            self._close()
        elif isinstance(event, SignatureDelta):
            self._signature += event.signature
        elif isinstance(event, Start):
            self._start = event
        elif isinstance(event, Finish):
            self._finish = event
        elif isinstance(event, Failed):
            raise event.error

    @property
    def usage(self) -> Usage | None:
        """What the upstream has told so far; None if nothing."""
        if self._finish is not None and self._finish.usage is not None:
            return self._finish.usage
        return self._start.usage if self._start is not None else None

    def partial(self) -> tuple[Block, ...]:
        """The blocks so far, the open one included: what a broken stream has given."""
        block = self._block()
        return (*self._blocks, block) if block is not None else tuple(self._blocks)

    def answer(self) -> Answer:
        """Raises UpstreamIncomplete unless Start and Finish were seen."""
        start, finish = self._start, self._finish
        if start is None or finish is None:
            raise UpstreamIncomplete("the upstream's answer ended before it was complete")
        return Answer(
            id=start.id,
            model=start.model,
            blocks=tuple(self._blocks),
            stop_reason=finish.stop_reason,
            stop_sequence=finish.stop_sequence,
            raw_stop=finish.raw_stop,
            usage=finish.usage if finish.usage is not None else start.usage,
            created=start.created,
            timings=finish.timings,
        )

    def _close(self) -> None:
        block = self._block()
        if block is not None:
            self._blocks.append(block)
        self._open = None
        self._parts = []
        self._signature = ""

    def _block(self) -> Block | None:
        start = self._open
        if start is None:
            return None
        text = "".join(self._parts)
        if start.kind == "text":
            return Text(text)
        if start.kind == "thinking":
            return Thinking(text, self._signature)
        if start.kind == "tool_use":
            return ToolUse(start.id, start.name, text or "{}")
        return RedactedThinking(start.data)


def collect(events: Iterable[Event]) -> Answer:
    """All events of a stream as one answer.

    Raises UpstreamIncomplete without a Finish, and the error of a Failed.
    """
    collector = Collector()
    for event in events:
        collector.feed(event)
    return collector.answer()


def replay(answer: Answer) -> Iterator[Event]:
    """The events of a stream that gives this answer, one delta a block."""
    yield Start(answer.id, answer.model, answer.usage, answer.created)
    index = 0
    for block in answer.blocks:
        if isinstance(block, Text):
            yield BlockStart(index, "text")
            if block.text:
                yield TextDelta(index, block.text)
        elif isinstance(block, ToolUse):
            yield BlockStart(index, "tool_use", id=block.id, name=block.name)
            yield ToolInputDelta(index, block.input)
        elif isinstance(block, Thinking):
            yield BlockStart(index, "thinking")
            if block.text:
                yield ThinkingDelta(index, block.text)
            if block.signature:
                yield SignatureDelta(index, block.signature)
        elif isinstance(block, RedactedThinking):
            yield BlockStart(index, "redacted_thinking", data=block.data)
        else:
            continue  # an answer has no other kinds; images and results are the user's
        yield BlockStop(index)
        index += 1
    yield Finish(
        answer.stop_reason, answer.stop_sequence, answer.raw_stop, answer.usage, answer.timings
    )
