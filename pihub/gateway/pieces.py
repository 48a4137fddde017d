"""An upstream's stream as pieces: read, held until the first content, handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from pihub.domain.collect import Collector
from pihub.domain.ports import Piece
from pihub.domain.stops import StopWatch
from pihub.domain.stream import BlockStart, Failed, Finish, Ping, Start
from pihub.errors import ClientGone, UpstreamError, UpstreamIncomplete
from pihub.gateway.link import Link
from pihub.gateway.outcome import Outcome
from pihub.upstream.connector.response import Response

ERROR_BODY = 64 * 1024
"""How much of an upstream's error is read to classify it."""
STREAMS = ("text/event-stream", "application/x-ndjson", "application/ndjson")


def read_pieces(
    link: Link,
    response: Response,
    outcome: Outcome,
    malformed: Callable[[int], None],
    pace: Callable[[], None] | None = None,
    ended: Callable[[], None] | None = None,
) -> Iterator[Piece]:
    """The upstream's pieces; ends well only after its terminal marker. `ended` is called
    whatever the end is.

    `pace` is called before each read after the one that brought the first content.

    Raises the upstream's errors and ClientGone. Closes the response at its end,
    whatever that is, also when it is closed itself.
    """
    parser = link.format.parser()
    cut: UpstreamIncomplete | None = None
    try:
        begun = False
        while not parser.done:
            if begun and pace is not None:
                pace()
            try:
                data = response.read_some()
            except UpstreamIncomplete as error:
                # Cut, but perhaps after the terminal marker: then it is complete.
                data, cut = b"", error
            pieces = list(parser.feed(data) if data else parser.eof())
            for number, piece in enumerate(pieces, 1):
                for event in piece.events:
                    if isinstance(event, Failed):
                        raise event.error
                    begun = begun or is_content(event)
                yield piece if number == len(pieces) else piece._replace(more=True)
            if not data:
                break
        if not parser.finished:
            raise cut or UpstreamIncomplete(f"{link.name} ended its answer early")
        outcome.ok()
    except Exception as error:
        outcome.failed(error)
        raise
    finally:
        response.close()
        if ended is not None:
            ended()
        if parser.malformed:
            malformed(parser.malformed)


def until(
    source: Iterator[Piece], stops: tuple[str, ...], outcome: Outcome
) -> Iterator[Piece]:
    """The pieces until the first of `stops` in the text; then the upstream is left."""
    watch = StopWatch(stops)
    try:
        for piece in source:
            events = tuple([out for event in piece.events for out in watch.feed(event)])
            yield Piece(piece.raw, events, piece.usage_only)
            if watch.stopped:
                outcome.ok()
                return
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def heard(pieces: Iterable[Piece]) -> Collector:
    """What an answer that was broken off had told: text, and the usage of its head."""
    collector = Collector()
    for piece in pieces:
        for event in piece.events:
            collector.feed(event)
    return collector


class HeldPieces:
    """Held pieces and then their source, with the source's `close`."""

    def __init__(self, held: list[Piece], source: Iterator[Piece]) -> None:
        self._held = held
        self._all = chain(held, source)
        self._source = source

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._all)

    def heard(self) -> Collector:
        """The held ones."""
        return heard(self._held)

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def is_content(event: object) -> bool:
    """Whether the model has said something: no fallback is possible after it."""
    if isinstance(event, BlockStart):
        return event.kind in ("tool_use", "redacted_thinking")
    return not isinstance(event, Start | Ping) and (
        isinstance(event, Finish) or type(event).__name__.endswith("Delta")
    )


def is_stream(response: Response) -> bool:
    """An upstream may ignore `stream` and answer as a whole."""
    for name, value in response.headers:
        if name == "content-type":
            return value.partition(";")[0].strip().lower() in STREAMS
    return False


def error_text(response: Response) -> bytes:
    """As much of an error's body as classifies it, at most `ERROR_BODY` bytes.

    A body that is longer, cut or late changes nothing about the status, so it is no
    failure of its own. Raises ClientGone.
    """
    parts: list[bytes] = []
    size = 0
    try:
        while size < ERROR_BODY and (data := response.read_some()):
            parts.append(data)
            size += len(data)
    except ClientGone:
        raise
    except UpstreamError:
        pass
    return b"".join(parts)[:ERROR_BODY]
