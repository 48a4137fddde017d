"""Stage 6: the answer in the client's own protocol, whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.chat import Answer
from pihub.domain.collect import replay
from pihub.gateway.body import StreamBody
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.linger import Linger
from pihub.gateway.record import Numbers, Recorder
from pihub.gateway.remember import CHARS_PER_TOKEN, Remember
from pihub.shared.events import Flag
from pihub.shared.metrics import Column
from pihub.shared.relay import Relay
from pihub.shared.state import SharedState
from pihub.shared.streams import Live, StreamTracker

_SIMULATED = int(Flag.SIMULATED)
STREAM_HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


class Render:
    """Sets `reply` (and `rendered` for whole answers)."""

    def __init__(
        self,
        remember: Remember,
        record: Recorder,
        state: SharedState,
        slot: int,
        finish: Callable[[Exchange], None],
        tracker: StreamTracker,
        relay: Relay | None = None,
        linger: Linger | None = None,
    ) -> None:
        self._relay = relay
        self._linger = linger
        self._names = Numbers(state.names.intern)
        self._tracker = tracker
        self._remember = remember
        self._record = record
        self._state = state
        self._slot = slot
        self._finish = finish

    def __call__(self, x: Exchange) -> None:
        client = x.request.client
        if x.stored is not None:
            x.answer = x.stored.answer
        if x.pieces is not None:
            renderer = client.renderer(x.parsed())
            headers = [("content-type", renderer.content_type), *STREAM_HEADERS]
            x.reply = Reply(
                200,
                [*headers, *self._record.headers(x)],
                StreamBody(
                    x,
                    renderer,
                    self._remember,
                    self._finish,
                    self._gauge,
                    self._live(x),
                    self._relay,
                    self._linger,
                ),
            )
            return
        kind = "application/json"
        if x.answer is None or (x.passes and x.raw and x.stored is None):
            x.rendered = x.raw
        elif x.streams:
            x.rendered, kind = self._replay(x, x.answer)
        else:
            x.rendered = client.render(x.answer, x.parsed())
        self._remember.price(x)
        headers = [("content-type", kind), *self._record.headers(x)]
        x.reply = Reply(200, headers, x.rendered)

    def _replay(self, x: Exchange, answer: Answer) -> tuple[bytes, str]:
        renderer = x.request.client.renderer(x.parsed())
        return b"".join(renderer.feed(e) for e in replay(answer)), renderer.content_type

    def _live(self, x: Exchange) -> Live:
        """The stream's row in the shared table: shown, and cancelled, from anywhere."""
        target, who = x.target, x.request.principal
        if target is None:
            assert x.follows is not None
            where = x.follows.source.model, x.follows.source.upstream
            simulated = x.follows.source.simulated
        else:
            where, simulated = (target.model, target.upstream), target.simulated
        return self._tracker.open(
            x.request.rid,
            key=who.key,
            tenant=who.tenant,
            route=x.request.route,
            flags=_SIMULATED if simulated else 0,
            model=self._names[where[0]],
            upstream=self._names[where[1]],
            alias=self._names[x.alias],
            input_tokens=len(x.request.body) // CHARS_PER_TOKEN + 1,
        )

    def _gauge(self, delta: int) -> None:
        self._state.counters.add(self._slot, Column.STREAMS_OPEN, delta)
        if delta > 0:
            self._state.counters.add(self._slot, Column.STREAMS, 1)
