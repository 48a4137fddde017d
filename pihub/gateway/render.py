"""Stage 6: the answer in the client's own protocol, whole or as a stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from pihub.domain.chat import Answer
from pihub.domain.collect import Collector, replay
from pihub.domain.ports import Piece, StreamRenderer
from pihub.domain.stream import TextDelta, ThinkingDelta, ToolInputDelta
from pihub.errors import ClientGone, Internal, PihubError, StreamCancelled
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.record import Numbers, Recorder
from pihub.gateway.remember import CHARS_PER_TOKEN, Remember
from pihub.shared.events import Flag
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState
from pihub.shared.streams import Live, StreamTracker

log = logging.getLogger("pihub.gateway")

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
    ) -> None:
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
                    x, renderer, self._remember, self._finish, self._gauge, self._live(x)
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
        assert target is not None
        return self._tracker.open(
            x.request.rid,
            key=who.key,
            tenant=who.tenant,
            route=x.request.route,
            flags=_SIMULATED if target.simulated else 0,
            model=self._names[target.model],
            upstream=self._names[target.upstream],
            alias=self._names[x.alias],
            input_tokens=len(x.request.body) // CHARS_PER_TOKEN + 1,
        )

    def _gauge(self, delta: int) -> None:
        self._state.counters.add(self._slot, Column.STREAMS_OPEN, delta)
        if delta > 0:
            self._state.counters.add(self._slot, Column.STREAMS, 1)


def _tokens(piece: Piece) -> int:
    """About how many a piece brings; 0 for heads, pings and usage."""
    count = 0
    for event in piece.events:
        if isinstance(event, TextDelta | ThinkingDelta):
            count += max(1, len(event.text) // CHARS_PER_TOKEN)
        elif isinstance(event, ToolInputDelta):
            count += max(1, len(event.json) // CHARS_PER_TOKEN)
    return count


class StreamBody:
    """The chunks of one stream; `close` may come at any moment, also before the first.

    RAM: the bytes sent so far, up to the largest value that the cache takes, and the
    collected answer.
    """

    def __init__(
        self,
        x: Exchange,
        renderer: StreamRenderer,
        remember: Remember,
        finish: Callable[[Exchange], None],
        gauge: Callable[[int], None],
        live: Live,
    ) -> None:
        self._live = live
        assert x.pieces is not None
        self._x = x
        self._renderer = renderer
        self._remember = remember
        self._finish = finish
        self._gauge = gauge
        self._pieces: Iterator[Piece] = x.pieces
        self._collector = Collector()
        self._kept: list[bytes] = []
        self._keeps = x.key is not None
        self._tells_usage = x.parsed().include_usage
        self._open = True
        self._over = False
        gauge(1)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._over:
            self.close()
            raise StopIteration
        x = self._x
        ready: list[bytes] = []
        while True:
            try:
                piece = next(self._pieces)
                out = self._chunk(piece)
            except StopIteration:
                return self._end()
            except StreamCancelled as error:
                # What was gathered is what the client still gets of the answer.
                return b"".join(ready) + self._fail(error)
            except ClientGone as error:
                x.client_gone, x.error = True, error
                self.close()
                raise StopIteration from None
            except PihubError as error:
                return b"".join(ready) + self._fail(error)
            except Exception:
                log.exception("request %s failed in its stream", x.request.rid_hex)
                return self._fail(Internal("the hub failed; its log knows why"))
            if piece.more:
                ready.append(out)
            elif ready:
                ready.append(out)
                out = b"".join(ready)
                ready.clear()
            if out and not piece.more:
                return out

    def _end(self) -> bytes:
        """The pieces are over: StopIteration, or an error event if that cannot be."""
        try:
            self._x.answer = self._collector.answer()
        except PihubError as error:
            return self._fail(error)
        self.close()
        raise StopIteration

    def _chunk(self, piece: Piece) -> bytes:
        x = self._x
        for event in piece.events:
            self._collector.feed(event)
        if x.passes:
            # The hub always asks for the usage; a client that did not gets none.
            out = b"" if piece.usage_only and not self._tells_usage else piece.raw
        elif len(piece.events) == 1:
            out = self._renderer.feed(piece.events[0])
        else:
            out = b"".join([self._renderer.feed(event) for event in piece.events])
        x.bytes_out += len(out)
        if self._live.content(_tokens(piece), len(out)):
            raise StreamCancelled("an operator ended this stream")
        if self._keeps:
            self._kept.append(out)
            if x.bytes_out > self._remember.max_value:
                self._keeps = False
                self._kept.clear()
        return out

    def _fail(self, error: PihubError) -> bytes:
        """The error event; nothing after it, and never a terminal marker."""
        x = self._x
        x.error = error
        self._over = True
        out = self._renderer.error(error, x.request.rid_hex)
        x.bytes_out += len(out)
        return out

    def close(self) -> None:
        """Idempotent: stop the upstream, bill what was received, write the record."""
        if not self._open:
            return
        self._open = False
        x = self._x
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
            self._settle()
        except Exception:
            # The client has its answer, or is gone: only the books may suffer.
            log.exception("request %s could not be settled", x.request.rid_hex)
        finally:
            self._gauge(-1)
            self._finish(x)
            # Last: until its record is written, the row is what a killed worker leaves.
            self._live.close()

    def _settle(self) -> None:
        x = self._x
        if x.answer is None and x.error is None:
            if self._collector.finished:
                x.answer = self._collector.answer()  # closed right behind its last byte
            else:
                x.client_gone, x.error = True, ClientGone("the client closed its connection")
        if x.error is not None or x.answer is None:
            self._remember.price_partial(x, self._collector)
            return
        if self._keeps:
            x.rendered = b"".join(self._kept)
        self._remember.price(x)
        self._remember(x)
