"""What a call's response gives: a whole answer, or a stream's pieces from its first content on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from pihub.domain.collect import Collector, collect, replay
from pihub.domain.ports import Piece
from pihub.domain.stops import enforced
from pihub.domain.stream import Start
from pihub.domain.target import Target
from pihub.errors import ClientGone, ContextExceeded, UpstreamError
from pihub.gateway.exchange import Exchange
from pihub.gateway.link import Link
from pihub.gateway.outcome import Outcome
from pihub.gateway.pace import Pace
from pihub.gateway.pieces import (
    HeldPieces,
    error_text,
    heard,
    is_content,
    is_stream,
    read_pieces,
    until,
)
from pihub.gateway.prompts.restore import Restore
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState
from pihub.upstream.connector.response import Response


class Receive:
    """Sets `answer` (with `raw`) or `pieces`, `usage`, `raw_stop`, `ttft_us` and `passes`; of an
    answer that breaks off, `lost`. Raises the upstream's error, ContextExceeded and ClientGone."""

    def __init__(
        self,
        state: SharedState,
        slot: int,
        limit: int,
        pace: Pace | None,
        paid: Callable[[Target], bool] | None,
    ) -> None:
        """`limit`: bytes of a whole answer. `paid`: whether a broken-off head counts."""
        self._state = state
        self._slot = slot
        self._limit = limit
        self._pace = pace
        self._paid = paid

    def __call__(
        self,
        x: Exchange,
        target: Target,
        link: Link,
        response: Response,
        outcome: Outcome,
        streams: bool,
        ended: Callable[[], None] | None,
    ) -> None:
        restore = None if x.prompt is None else x.prompt.restore(target)
        try:
            if response.status != 200:
                text = error_text(response)
                if x.plan is not None and response.status == 400 and _too_long(text):
                    outcome.ok()
                    raise ContextExceeded(f"the prompt is longer than {target.name} can read")
                raise link.format.error(response.status, response.headers, text)
            if streams and is_stream(response):
                self._stream(x, target, link, response, outcome, ended, restore)
                return
            x.raw = raw = response.read_all(self._limit)
            if x.passes and not streams and x.key is None and x.once is None:
                x.usage, x.raw_stop = link.format.glance(200, raw)
            else:
                x.answer = link.format.answer(200, response.headers, raw)
                if x.stops:
                    x.answer = collect(enforced(replay(x.answer), x.stops))
                if restore is not None:
                    x.answer = restore.answer(x.answer)
            # An upstream may ignore `stream`; then its bytes are not what was asked for.
            x.passes = x.passes and not streams
            x.ttft_us = x.elapsed_us()
            outcome.ok()
            if x.race is not None and not x.race.first():
                if self._paid is not None and self._paid(target):
                    x.lost = (*x.lost, (target, _whole(x)))
                raise ClientGone("another target was faster")
        finally:
            if x.pieces is None:
                response.close()

    def _stream(
        self,
        x: Exchange,
        target: Target,
        link: Link,
        response: Response,
        outcome: Outcome,
        ended: Callable[[], None] | None,
        restore: Restore | None,
    ) -> None:
        client_fd = x.request.client_fd if x.race is None else x.race.client_fd
        pace = None
        if x.streams and self._pace is not None:
            pace = self._pace.begin(client_fd)
        source = read_pieces(link, response, outcome, self._malformed, pace, ended)
        if x.stops:
            source = until(source, x.stops, outcome)
        if restore is not None:
            source = restore.pieces(source)
        held: list[Piece] = [] if x.race is None else x.race.held
        try:
            for piece in source:
                held.append(piece)
                if any(is_content(event) for event in piece.events):
                    break
            if x.race is not None and not x.race.first():
                HeldPieces(held, source).close()
                raise ClientGone("another target was faster")
        except (UpstreamError, ClientGone):
            # What an upstream that began and then failed has told of the prompt's tokens.
            before = heard(held)
            if before.usage is not None and self._paid is not None and self._paid(target):
                x.lost = (*x.lost, (target, before))
            raise
        x.ttft_us = x.elapsed_us()
        if x.streams and not x.drafts:
            if x.goes_on:
                response.detach()
            elif x.race is not None:
                response.detach(client_fd)
            x.pieces = HeldPieces(held, source)
            return
        collector = Collector()
        try:
            for piece in chain(held, source):
                for event in piece.events:
                    collector.feed(event)
            x.answer = collector.answer()
        except (UpstreamError, ClientGone):
            # Nobody gets to see these tokens, but they were made, and cost.
            if collector.partial():
                x.lost = (*x.lost, (target, collector))
            raise

    def _malformed(self, count: int) -> None:
        self._state.counters.add(self._slot, Column.MALFORMED_EVENTS, count)


def _whole(x: Exchange) -> Collector:
    """What an answer that nobody gets has cost."""
    collector = Collector()
    if x.answer is not None:
        for event in replay(x.answer):
            collector.feed(event)
    elif x.usage is not None:
        collector.feed(Start("", "", x.usage))
    return collector


def _too_long(text: bytes) -> bool:
    """Whether an upstream's 400 is about the context; there is no code for it."""
    words = text.lower()
    return b"context" in words and (b"length" in words or b"exceed" in words or b"window" in words)
