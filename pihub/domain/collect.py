"""Stream events to an answer, and an answer to stream events.

The two are inverse: `collect(replay(answer)) == answer`. The gateway keeps answers in
its caches and replays them as streams; it asks a streaming upstream and collects for a
client that did not ask for a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pihub.domain.chat import (
    Answer,
    Block,
    RedactedThinking,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
    Usage,
)
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

NO_INPUT = "{}"
"""A tool's input of which nothing was said."""


class Collector:
    """Folds events into an Answer. RAM: the answer's own size, bounded by the caller."""

    __slots__ = ("_blocks", "_finish", "_open", "_parts", "_signature", "_start", "logprobs")

    def __init__(self) -> None:
        self._start: Start | None = None
        self._finish: Finish | None = None
        self._blocks: list[Block] = []
        self._open: BlockStart | None = None
        self._parts: list[str] = []
        self._signature = ""
        self.logprobs: list[TokenLogprob] = []

    @property
    def finished(self) -> bool:
        """A Finish was seen."""
        return self._finish is not None

    def feed(self, event: Event) -> None:
        """Take one event, in order. Raises the error of a Failed."""
        if isinstance(event, TextDelta):
            self._parts.append(event.text)
            if event.logprobs:
                self.logprobs += event.logprobs
        elif isinstance(event, ThinkingDelta):
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
    def begun(self) -> Start | None:
        """The Start, once it came."""
        return self._start

    @property
    def closed(self) -> int:
        """How many blocks are complete."""
        return len(self._blocks)

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

    def so_far(self) -> Iterator[Event]:
        """Events that stand for all that was fed, with one delta a block."""
        start = self._start
        if start is not None:
            yield start
        for index, block in enumerate(self.partial()):
            yield from _block_events(index, block, whole=index < len(self._blocks))
        if self._finish is not None:
            yield self._finish

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
            logprobs=tuple(self.logprobs),
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
            return ToolUse(start.id, start.name, text or NO_INPUT)
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
    logprobs = answer.logprobs  # all of them with the first text: no block owns its own
    for block in answer.blocks:
        if isinstance(block, _SAID):
            for event in _block_events(index, block, whole=True):
                if logprobs and isinstance(event, TextDelta):
                    yield TextDelta(index, event.text, logprobs)
                    logprobs = ()
                else:
                    yield event
            index += 1
    yield _finish(answer)


def rest(sofar: Collector, answer: Answer) -> list[Event] | None:
    """What is missing of `answer` after what was fed; None if that is no part of it."""
    given = sofar.partial()
    blocks = [block for block in answer.blocks if isinstance(block, _SAID)]
    closed = sofar.closed
    if len(given) > len(blocks) or list(given[:closed]) != blocks[:closed]:
        return None
    events: list[Event] = []
    if sofar.begun is None:
        events.append(Start(answer.id, answer.model, answer.usage, answer.created))
    for index, block in enumerate(blocks[closed:], closed):
        whole = list(_block_events(index, block, whole=True))
        if index < len(given):
            begun = list(_block_events(index, given[index], whole=False))
            left = _after(begun, whole)
            if left is None:
                return None
            whole = left
        events += whole
    if told := answer.logprobs[len(sofar.logprobs) :]:
        first = next((n for n, e in enumerate(events) if isinstance(e, TextDelta)), -1)
        if first >= 0:
            events[first] = msgspec.structs.replace(events[first], logprobs=told)  # type: ignore[type-var]
    if not sofar.finished:
        events.append(_finish(answer))
    return events


_SAID = (Text, ToolUse, Thinking, RedactedThinking)
"""The kinds of an answer's blocks; images and results are the user's."""


def _finish(answer: Answer) -> Finish:
    return Finish(
        answer.stop_reason, answer.stop_sequence, answer.raw_stop, answer.usage, answer.timings
    )


def _block_events(index: int, block: Block, *, whole: bool) -> Iterator[Event]:
    """One block with one delta of each kind, and its end if it is `whole`."""
    if isinstance(block, Text):
        yield BlockStart(index, "text")
        if block.text:
            yield TextDelta(index, block.text)
    elif isinstance(block, ToolUse):
        yield BlockStart(index, "tool_use", id=block.id, name=block.name)
        if whole or block.input != NO_INPUT:
            yield ToolInputDelta(index, block.input)
    elif isinstance(block, Thinking):
        yield BlockStart(index, "thinking")
        if block.text:
            yield ThinkingDelta(index, block.text)
        if block.signature:
            yield SignatureDelta(index, block.signature)
    elif isinstance(block, RedactedThinking):
        yield BlockStart(index, "redacted_thinking", data=block.data)
    if whole:
        yield BlockStop(index)


def _after(begun: list[Event], whole: list[Event]) -> list[Event] | None:
    """The events of a block after its beginning; None if that is another block's."""
    if begun[0] != whole[0]:
        return None
    had = {type(event): event for event in begun[1:]}
    left: list[Event] = []
    for event in whole[1:]:
        old = had.get(type(event))
        if old is None:
            left.append(event)
            continue
        field = _TEXTS[type(event)]
        before, now = getattr(old, field), getattr(event, field)
        if not now.startswith(before):
            return None
        if now != before:
            left.append(type(event)(event.index, now[len(before) :]))  # type: ignore[call-arg,union-attr,arg-type]
    return left


_TEXTS: dict[type, str] = {
    TextDelta: "text", ThinkingDelta: "text", SignatureDelta: "signature", ToolInputDelta: "json",
}  # fmt: skip
