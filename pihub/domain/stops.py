"""Stop sequences that the hub enforces itself, where an upstream cannot.

Anthropic refuses sequences of whitespace alone, OpenAI takes four. The text of a sequence
never reaches the client: as many characters as a sequence may still need are held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pihub.domain.chat import StopReason, TokenLogprob, Usage
from pihub.domain.stream import BlockStart, BlockStop, Event, Finish, Start, TextDelta


class StopWatch:
    """One answer's events, ended where a sequence appears in its text.

    RAM: one character less than the longest sequence.
    """

    __slots__ = (
        "_characters", "_held", "_index", "_logprobs", "_longest", "_stops", "_usage", "stopped"
    )  # fmt: skip

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._longest = max((len(stop) for stop in self._stops), default=1)
        self._characters = 0
        self._held = ""
        self._logprobs: list[TokenLogprob] = []
        self._index = -1
        self._usage: Usage | None = None
        self.stopped = False
        """A sequence was met: nothing that follows is wanted."""

    def feed(self, event: Event) -> list[Event]:
        """What of `event` may go on; after the end, nothing."""
        if self.stopped:
            return []
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, Start):
            self._usage = event.usage
        if isinstance(event, BlockStart):
            self._index = event.index
        out: list[Event] = []
        if self._held and isinstance(event, BlockStop | Finish):
            out.append(TextDelta(self._index, self._held, tuple(self._logprobs)))
            self._held, self._logprobs = "", []
        return [*out, event]

    def _text(self, event: TextDelta) -> list[Event]:
        self._characters += len(event.text)
        self._logprobs += event.logprobs
        text = self._held + event.text
        found = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if not found:
            keep = self._partial(text)
            self._held = text[len(text) - keep :]
            ready = text[: len(text) - keep]
            return [TextDelta(event.index, ready, self._weighed(len(ready)))] if ready else []
        at, stop = min(found)
        self.stopped, self._held = True, ""
        out: list[Event] = []
        if at:
            out.append(TextDelta(event.index, text[:at], self._weighed(at)))
        reason = StopReason.STOP_SEQUENCE
        # The upstream is left before it tells its usage: what it said first is a snapshot.
        usage = self._usage
        if usage is not None:
            guess = -(-self._characters // 4)
            usage = msgspec.structs.replace(usage, output=max(usage.output, guess))
        return [*out, BlockStop(event.index), Finish(reason, stop, reason.value, usage)]

    def _weighed(self, characters: int) -> tuple[TokenLogprob, ...]:
        """The tokens that lie within the next characters of the text; the others stay."""
        ready: list[TokenLogprob] = []
        for one in self._logprobs:
            characters -= len(one.token)
            if characters < 0:
                break
            ready.append(one)
        del self._logprobs[: len(ready)]
        return tuple(ready)

    def _partial(self, text: str) -> int:
        """How many of the last characters may begin a sequence."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0


def enforced(events: Iterable[Event], stops: Iterable[str]) -> Iterator[Event]:
    """The events of one answer until the first of `stops`."""
    watch = StopWatch(stops)
    for event in events:
        yield from watch.feed(event)
        if watch.stopped:
            return
