"""Stage 5: the targets of the chain in turn, until one gives its first content byte.

Before that byte any failure moves on along the chain; after it the client is told by
an error in its own protocol (see render.py). Nothing is sent twice to one target.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain

import msgspec

from pihub.domain.chat import Answer
from pihub.domain.collect import Collector
from pihub.domain.ports import Piece
from pihub.domain.stream import BlockStart, Failed, Finish, Ping, Start
from pihub.domain.target import Target
from pihub.errors import (
    BreakerOpen,
    ChainExhausted,
    ClientGone,
    PihubError,
    Unsupported,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamRejected,
    UpstreamTimeout,
)
from pihub.gateway.exchange import Exchange
from pihub.gateway.link import Link
from pihub.shared.metrics import Column, Series
from pihub.shared.state import SharedState
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.response import Response

DEFAULT_MAX_TOKENS = 8192
"""For upstreams that demand a limit, where neither client nor configuration names one."""
ERROR_BODY = 64 * 1024
"""How much of an upstream's error is read to classify it."""


class Call:
    """Sets `target`, `attempts` and either `answer` (with `raw`) or `pieces`.

    Raises the last target's error, or ChainExhausted if several failed.
    """

    def __init__(
        self,
        links: Mapping[str, Link],
        connector: Connector,
        state: SharedState,
        slot: int,
        *,
        answer_limit: int,
    ) -> None:
        self._links = links
        self._connector = connector
        self._state = state
        self._slot = slot
        self._limit = answer_limit

    def __call__(self, x: Exchange) -> None:
        if x.stored is not None:
            return
        errors: list[PihubError] = []
        for index, target in enumerate(x.targets):
            link = self._links[target.upstream]
            try:
                self._attempt(x, target, link)
            except (UpstreamError, Unsupported) as error:
                errors.append(error)
                x.moved_on = error
                x.failures = (*x.failures, f"{target.name}: {error.code}")
                continue
            x.target = target
            if index:
                self._state.counters.add(self._slot, Column.FALLBACKS, 1)
            return
        raise _verdict(errors, x.failures)

    def _attempt(self, x: Exchange, target: Target, link: Link) -> None:
        if not link.health.allow():
            wait = link.health.retry_in()
            raise BreakerOpen(f"{link.name} is resting after failures", retry_after=wait or None)
        try:
            self._send(x, target, link)
        except ClientGone:
            # Not the upstream's fault; a half-open probe's lease runs out by itself.
            raise
        except UpstreamError as error:
            link.health.record(_healthy(error), timeout=isinstance(error, UpstreamTimeout))
            raise

    def _send(self, x: Exchange, target: Target, link: Link) -> None:
        # Ollama sends no header before a non-streamed answer is whole; streamed, the
        # timers see it live or dead.
        streams = x.streams or link.kind == "ollama"
        x.passes = x.request.client.name == link.format.name and streams == x.streams
        path, headers, body = self._request(x, target, link, streams)
        x.attempts += 1
        link.health.called()
        start = time.monotonic_ns()
        response = self._connector.request(
            link.origin,
            "POST",
            path,
            headers,
            body,
            link.timers,
            client_fd=x.request.client_fd,
            pool=link.pool,
            replay=True,
        )
        micros = (time.monotonic_ns() - start) // 1000
        self._state.latency.record(self._slot, Series.UPSTREAM, micros)
        done = False
        try:
            if response.status != 200:
                text = response.read_all(ERROR_BODY)
                raise link.format.error(response.status, response.headers, text)
            if streams and _is_stream(response):
                self._stream(x, link, response)
                done = x.pieces is not None
                return
            raw = response.read_all(self._limit)
            x.raw = raw
            if x.passes and not streams and x.key is None:
                x.usage, x.raw_stop = link.format.glance(200, raw)
            else:
                x.answer = link.format.answer(200, response.headers, raw)
            # An upstream may ignore `stream`; then its bytes are not what was asked for.
            x.passes = x.passes and not streams
            x.ttft_us = x.elapsed_us()
            link.health.record(True)
        finally:
            if not done:
                response.close()

    def _request(
        self, x: Exchange, target: Target, link: Link, streams: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        if x.passes:
            body = link.format.patch_request(x.request.body, target.model, stream=streams)
            return link.chat_path, link.pass_headers(x.request.forward), body
        ask = x.parsed()
        if ask.max_tokens is None and (target.max_tokens or link.kind == "anthropic"):
            limit = target.max_tokens or DEFAULT_MAX_TOKENS
            ask = msgspec.structs.replace(ask, max_tokens=limit)
        path, headers, body = link.format.request(ask, target.model, stream=streams)
        x.notes = link.format.notes(ask, target.model)
        return link.path(path), [*headers, *link.auth], body

    def _stream(self, x: Exchange, link: Link, response: Response) -> None:
        source = self._pieces(link, response)
        held: list[Piece] = []
        for piece in source:
            held.append(piece)
            if any(_is_content(event) for event in piece.events):
                break
        x.ttft_us = x.elapsed_us()
        if x.streams:
            x.pieces = HeldPieces(held, source)
            return
        x.answer = collect(chain(held, source))

    def _pieces(self, link: Link, response: Response) -> Iterator[Piece]:
        """The upstream's pieces; ends well only after its terminal marker."""
        parser = link.format.parser()
        ok = False
        gone = False
        cut: UpstreamIncomplete | None = None
        try:
            while not parser.done:
                try:
                    data = response.read_some()
                except UpstreamIncomplete as error:
                    # Cut, but perhaps after the terminal marker: then it is complete.
                    data, cut = b"", error
                for piece in parser.feed(data) if data else parser.eof():
                    for event in piece.events:
                        if isinstance(event, Failed):
                            raise event.error
                    yield piece
                if not data:
                    break
            if not parser.finished:
                raise cut or UpstreamIncomplete(f"{link.name} ended its answer early")
            ok = True
        except (GeneratorExit, ClientGone):
            gone = True
            raise
        except UpstreamTimeout:
            link.health.record(False, timeout=True)
            gone = True
            raise
        finally:
            response.close()
            if not gone:
                link.health.record(ok)
            malformed = getattr(parser, "malformed", 0)
            if malformed:
                self._state.counters.add(self._slot, Column.MALFORMED_EVENTS, malformed)


class HeldPieces:
    """Held pieces and then their source, with the source's `close`."""

    def __init__(self, held: list[Piece], source: Iterator[Piece]) -> None:
        self._all = chain(held, source)
        self._source = source

    def __iter__(self) -> Iterator[Piece]:
        return self._all

    def __next__(self) -> Piece:
        return next(self._all)

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def collect(pieces: Iterator[Piece]) -> Answer:
    """A streamed answer, whole. Raises what the pieces raise."""
    collector = Collector()
    for piece in pieces:
        for event in piece.events:
            collector.feed(event)
    return collector.answer()


def _is_content(event: object) -> bool:
    if isinstance(event, BlockStart):
        return event.kind in ("tool_use", "redacted_thinking")
    return not isinstance(event, Start | Ping) and (
        isinstance(event, Finish) or type(event).__name__.endswith("Delta")
    )


def _is_stream(response: Response) -> bool:
    for name, value in response.headers:
        if name == "content-type":
            kind = value.partition(";")[0].strip().lower()
            return kind in ("text/event-stream", "application/x-ndjson", "application/ndjson")
    return False


def _healthy(error: UpstreamError) -> bool:
    """A refusal of this very request says nothing against the upstream."""
    return isinstance(error, UpstreamRejected) and error.upstream_status not in (401, 403)


def _verdict(errors: list[PihubError], failures: tuple[str, ...]) -> PihubError:
    if not errors:
        return ChainExhausted("the model's chain is empty")
    if len(errors) == 1:
        return errors[0]
    waits = [e.retry_after for e in errors if e.retry_after]
    return ChainExhausted(
        "no upstream of the model's chain could answer: " + "; ".join(failures),
        detail="; ".join(e.detail for e in errors if e.detail),
        retry_after=min(waits) if waits else None,
    )
