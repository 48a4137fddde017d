"""An upstream's answer: its head at once, its body piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from pihub.errors import UpstreamIncomplete, UpstreamProtocol
from pihub.settings.schema import Timers
from pihub.shared.httphead import CHUNKED, CLOSE, LENGTH, NONE, Head
from pihub.upstream.connector.chunked import ChunkedDecoder
from pihub.upstream.connector.connection import Connection, Cut

_FRAMING = {NONE: "none", LENGTH: "content-length", CHUNKED: "chunked", CLOSE: "close"}


class Response:
    """An answer that was received whole; its connection is back in the pool already."""

    __slots__ = (
        "_kind", "_ready", "complete", "headers", "length", "reason", "status", "version",
    )  # fmt: skip

    def __init__(self, head: Head, ready: bytes) -> None:
        """`ready`: what there is of the body."""
        self.status, self.reason, self.version, self.headers, self._kind, length, _, _ = head
        self.length = length
        """Content-Length, -1 if not told. For HEAD and 304: of the body not sent."""
        self._ready = ready
        self.complete = True
        """The body was received to its end (some of it may still be unread)."""

    @property
    def framing(self) -> str:
        """none, content-length, chunked or close"""
        return _FRAMING[self._kind]

    def header(self, name: str) -> str | None:
        """The field's values joined by a comma, None if absent; `name` in lower case."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def read_some(self) -> bytes:
        """The next bytes of the body as they come; b"" at its clean end.

        Raises UpstreamIncomplete (cut), UpstreamTimeout (first_byte, idle, total),
        UpstreamProtocol (bad chunk) or ClientGone; the connection is closed then.
        """
        data, self._ready = self._ready, b""
        return data

    def read_all(self, limit: int) -> bytes:
        """The whole rest of the body.

        Raises UpstreamProtocol if it is longer than `limit` bytes, and as `read_some`.
        """
        data, self._ready = self._ready, b""
        if len(data) > limit:
            raise UpstreamProtocol("the upstream's answer is too large")
        return data

    def detach(self, client_fd: int = -1) -> None:
        """From now on the client's leaving does not end the reading, but this one's."""

    def __iter__(self) -> Iterator[bytes]:
        """The body piece by piece; raises as `read_some`."""
        while data := self.read_some():
            yield data

    def close(self) -> None:
        """Free the connection: idempotent, never raises, never waits."""
        self._ready = b""


class OpenResponse(Response):
    """An answer whose end is still to come, or whose connection cannot be kept.

    Read it to its end or `close` it; either frees the connection. It goes back to its
    pool the moment the last body byte is read. Not read to the end, it is closed, so
    the upstream notices at once.
    """

    __slots__ = ("_begun", "_chunks", "_connection", "_first_at", "_keep", "_left", "_timers")

    def __init__(
        self,
        head: Head,
        rest: bytes,
        connection: Connection,
        timers: Timers,
        max_header: int,
    ) -> None:
        """`rest`: what was received after the head."""
        self._connection: Connection | None = connection
        super().__init__(head, b"")
        self._left = self.length
        self._keep = head[6]
        self._timers = timers
        self._chunks: ChunkedDecoder | None = None
        self.complete = False
        self._begun = True
        """A byte of the body has come, or its end."""
        self._first_at = 0.0
        if self._kind == NONE:
            self._finish(rest)
            return
        if self._kind == CHUNKED:
            self._chunks = ChunkedDecoder(max_header)
        self._ready = self._take(rest)
        if not self._ready and not self.complete:
            self._begun = False
            self._first_at = monotonic() + timers.first_byte

    def read_some(self) -> bytes:
        if self._ready:
            data, self._ready = self._ready, b""
            return data
        if self.complete:
            return b""
        connection = self._connection
        if connection is None:
            raise UpstreamIncomplete("the upstream's answer was not read to its end")
        if self._begun:
            at, timer = monotonic() + self._timers.idle, "idle"
        else:
            at, timer = self._first_at, "first_byte"
        try:
            while True:
                data = connection.receive(at, timer)
                if data:
                    body = self._take(data)
                elif self._kind == CLOSE:
                    body = self._finish(b"")
                else:
                    raise UpstreamIncomplete("the upstream's answer was cut off")
                if body or self.complete:
                    self._begun = True
                    return body
        except Cut as err:
            self._drop()
            raise UpstreamIncomplete(
                "the upstream's answer was cut off", detail=str(err)
            ) from err
        except BaseException:
            self._drop()
            raise

    def read_all(self, limit: int) -> bytes:
        if self._kind == LENGTH and self.length > limit:
            self.close()
            raise UpstreamProtocol("the upstream's answer is too large")
        part = self.read_some()
        parts: list[bytes] = []
        size = 0
        while part:
            size += len(part)
            if size > limit:
                self.close()
                raise UpstreamProtocol("the upstream's answer is too large")
            if self.complete and not self._ready and not parts:
                return part
            parts.append(part)
            part = self.read_some()
        return b"".join(parts)

    def detach(self, client_fd: int = -1) -> None:
        if self._connection is not None:
            self._connection.client_fd = client_fd

    def close(self) -> None:
        self._ready = b""
        self._drop()

    def __del__(self) -> None:
        # A response that was forgotten must not hold its place in the pool for ever.
        if self._connection is not None:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.discard()

    def _take(self, data: bytes) -> bytes:
        """Body bytes of received bytes; ends the exchange when they are the last."""
        kind = self._kind
        if kind == LENGTH:
            left = self._left - len(data)
            self._left = left
            if left > 0:
                return data
            if not left:
                self._finish(b"")
                return data
            body = data[:left]
            self._finish(data[left:])
            return body
        if kind == CLOSE:
            return data
        chunks = self._chunks
        assert chunks is not None
        body = chunks.feed(data) if data else b""
        if chunks.done:
            self._finish(chunks.excess)
        return body

    def _finish(self, excess: bytes) -> bytes:
        """The body ended. Bytes beyond it were not asked for: never reuse then."""
        self.complete = True
        connection, self._connection = self._connection, None
        if connection is not None:
            if excess or not self._keep or connection.partial or connection.buffer:
                connection.discard()
            else:
                connection.release()
        return b""
