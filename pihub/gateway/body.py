"""A stream on its way to its client: rendered, tracked, paid for, passed on to others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from time import monotonic

from pihub.domain.collect import Collector
from pihub.domain.ports import Piece, StreamRenderer
from pihub.domain.stream import TextDelta, ThinkingDelta, ToolInputDelta
from pihub.errors import ClientGone, Internal, PihubError, StreamCancelled
from pihub.gateway.exchange import Exchange
from pihub.gateway.linger import Linger
from pihub.gateway.remember import CHARS_PER_TOKEN, Remember
from pihub.shared.relay import End, Publisher, Relay
from pihub.shared.streams import Live

log = logging.getLogger("pihub.gateway")


def tokens(piece: Piece) -> int:
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

    What it receives goes to those that follow it, too (shared.relay); and it may go on
    without its client (linger.py). RAM: the bytes sent so far, up to the largest value that
    the cache takes, and the collected answer.
    """

    def __init__(
        self,
        x: Exchange,
        renderer: StreamRenderer,
        remember: Remember,
        finish: Callable[[Exchange], None],
        gauge: Callable[[int], None],
        live: Live,
        relay: Relay | None = None,
        linger: Linger | None = None,
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
        self._relay = relay
        self._linger = linger
        self._publishers: list[Publisher] = []
        self._publish(x.flights)
        gauge(1)

    def _publish(self, flights: list[int]) -> None:
        """Those of `flights` that are not published yet."""
        x = self._x
        if self._relay is None or x.target is None:
            return
        for flight in flights[len(self._publishers) :]:
            self._publishers.append(
                self._relay.publish(
                    flight,
                    x.request.principal.tenant,
                    rid=x.request.rid,
                    upstream=x.target.upstream,
                    model=x.target.model,
                    route=x.target.name,
                    simulated=x.target.simulated,
                    so_far=self._collector.so_far,
                )
            )

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
        self._take(piece)
        if x.passes:
            # The hub always asks for the usage; a client that did not gets none.
            out = b"" if piece.usage_only and not self._tells_usage else piece.raw
        elif len(piece.events) == 1:
            out = self._renderer.feed(piece.events[0])
        else:
            out = b"".join([self._renderer.feed(event) for event in piece.events])
        x.bytes_out += len(out)
        if self._live.content(tokens(piece), len(out)):
            raise StreamCancelled("an operator ended this stream")
        if self._keeps:
            self._kept.append(out)
            if x.bytes_out > self._remember.max_value:
                self._keeps = False
                self._kept.clear()
        return out

    def _take(self, piece: Piece) -> None:
        for event in piece.events:
            self._collector.feed(event)
        for publisher in self._publishers:
            publisher.feed(piece.events, more=piece.more)

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
        if not self._goes_on():
            self._shut()

    def _goes_on(self) -> bool:
        """Whether the client has left in the middle, and the answer is received further."""
        x, linger = self._x, self._linger
        if linger is None or self._over or self._collector.finished or x.error is not None:
            return False
        if not linger.begin(x, self._followed()):
            return False
        self._publish(x.flights)
        for publisher in self._publishers:
            publisher.open()
        x.client_gone = True
        linger.spawn(self._drain)
        return True

    def _followed(self) -> bool:
        return any(one.followed() for one in self._publishers)

    def _drain(self) -> None:
        """Receive the rest without a client; in the background."""
        x, linger = self._x, self._linger
        assert linger is not None
        until = linger.deadline(x)
        self._keeps = False  # what was sent is not the whole
        self._kept.clear()
        try:
            for piece in self._pieces:
                self._take(piece)
                if self._live.content(tokens(piece), len(piece.raw)):
                    raise StreamCancelled("an operator ended this stream")
                if monotonic() > until and not self._followed():
                    raise ClientGone("the client closed its connection")
            x.answer = self._collector.answer()
        except PihubError as error:
            x.error = error
        except Exception:
            log.exception("request %s failed after its client left", x.request.rid_hex)
            x.error = Internal("the hub failed; its log knows why")
        self._shut()

    def _shut(self) -> None:
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
            self._say_end()
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
        self._remember.keep(x)
        if x.client_gone and self._linger is not None:
            self._linger.keep(x, self._remember)

    def _say_end(self) -> None:
        """To those that follow: the answer is whole, or why it is not."""
        x = self._x
        if not self._publishers:
            return
        failed = ""
        if x.answer is None or x.error is not None:
            failed = "the request whose answer was followed has failed"
        kept = None if failed else self._remember.stored(x)
        last = End(0 if kept is None else kept.worth_nano, failed)
        for publisher in self._publishers:
            try:
                publisher.end(last)
            except Exception:
                log.exception("request %s: its end was not passed on", x.request.rid_hex)
