"""Stage 6: the answer in the client's own protocol, whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.chat import Answer
from pihub.domain.collect import replay
from pihub.gateway.body import StreamBody
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.linger import Linger
from pihub.gateway.record import Recorder
from pihub.gateway.remember import Remember
from pihub.gateway.track import Tracking
from pihub.shared.metrics import Column
from pihub.shared.relay import Relay
from pihub.shared.state import SharedState

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
        tracking: Tracking,
        relay: Relay | None = None,
        linger: Linger | None = None,
    ) -> None:
        self._relay = relay
        self._linger = linger
        self._tracking = tracking
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
                    self._tracking.stream(x),
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

    def _gauge(self, delta: int) -> None:
        self._state.counters.add(self._slot, Column.STREAMS_OPEN, delta)
        if delta > 0:
            self._state.counters.add(self._slot, Column.STREAMS, 1)
