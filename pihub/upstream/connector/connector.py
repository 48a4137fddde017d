"""The connector: one HTTP/1.1 request, one answer, over pooled connections."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from time import monotonic, monotonic_ns
from typing import Final

from pihub.domain.ports import Headers, Resolver, Spent, Waiter
from pihub.errors import BadRequest, UpstreamIncomplete, UpstreamProtocol
from pihub.settings.schema import Pool, Timers
from pihub.shared.httphead import LENGTH, WORDS, Head, damage, parse
from pihub.shared.httphead import request as request_head
from pihub.shared.lane import Begun
from pihub.upstream.connector.connection import Connection, Cut, timeout
from pihub.upstream.connector.dial import Dialer
from pihub.upstream.connector.origin import Origin
from pihub.upstream.connector.pieces import send_pieces
from pihub.upstream.connector.pool import OriginPool
from pihub.upstream.connector.response import OpenResponse, Response
from pihub.upstream.connector.tls import client_context

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent twice (RFC 9110 section 9.2.2)."""
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose empty body is announced too (RFC 9110 section 8.6)."""
_TOGETHER: Final = 65536
"""Bytes of a body that are copied behind the head, so that one send takes both."""
_NO_LENGTH: Final = -1
_CHUNKED: Final = -2
_INFORMATIONAL: Final = 16
"""How many 1xx answers may come before the final one."""
_SWEEP: Final = 1.0
"""Seconds between looks at the idle connections of all pools."""
_DEFAULT_POOL: Final = Pool()


class _Stale(Exception):
    """A reused connection was closed before the first byte of an answer."""


class Connector:
    """All upstream connections of one worker. Safe for greenlets and threads.

    RAM: `Pool.size` connections an origin (about 1 kB each, with TLS 40 kB), and at
    most `max_header` plus 64 kB for each request under way.
    """

    __slots__ = ("_contexts", "_dialer", "_max_header", "_pools", "_swept", "_waiter")

    def __init__(
        self, waiter: Waiter, resolver: Resolver, *, max_header: int = 32768
    ) -> None:
        """`max_header`: largest head of an answer, bytes; also of its trailers."""
        self._waiter = waiter
        self._dialer = Dialer(waiter, resolver)
        self._max_header = max_header
        self._pools: dict[str, OriginPool] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._swept = 0.0

    def prepare(self, origin: Origin) -> None:
        """Load the authorities of an https origin now, not in its first request.

        Raises UpstreamUnreachable if its `ca_file` cannot be read.
        """
        if origin.scheme == "https":
            self._context(origin)

    def request(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | Iterable[bytes] | None,
        timers: Timers,
        *,
        client_fd: int = -1,
        pool: Pool = _DEFAULT_POOL,
        replay: bool = False,
        length: int = -1,
        spent: Spent | None = None,
    ) -> Response:
        """Send one request and return the final answer's head, its body to be read.

        `target`: origin-form, percent-encoded. `headers`: without those that frame
        the message or concern the hop (connection, content-length, transfer-encoding,
        ...), which are left out; a `host` replaces the origin's own. `body`: bytes, or
        pieces, which are sent with their `length` if that is told and chunked if not.
        `client_fd`: whose request this serves; if it closes, everything here ends
        within 1 s.

        A reused connection that closes before the first byte of an answer is replaced
        once by a new one, if `method` is idempotent, or `replay` allows it, or nothing
        was sent yet; a body in pieces is never replayed. `spent` is told what waiting for a
        place and new connections took.

        Timers: `connect` (a free place, name, TCP and TLS together), `headers` (from
        the request's last byte to the answer's whole head), `first_byte` (then to the
        body's first byte), `idle` (between pieces, of the request too), `total`.
        Raises UpstreamTimeout naming one of them, UpstreamUnreachable, UpstreamProtocol,
        UpstreamIncomplete, UpstreamBusy (queue full), Overloaded, BadRequest (the
        request cannot be sent safely), ClientGone.
        """
        now = monotonic()
        origin_pool = self.pool(origin, pool)
        if now - self._swept > _SWEEP:
            self._sweep(now)
        whole = True
        announced = 0 if method in _BODY_METHODS else _NO_LENGTH
        beside = b""
        if body is None:
            pass
        elif isinstance(body, bytes):
            if body:
                announced = len(body)
                if announced <= _TOGETHER:
                    beside, body = body, None
            else:
                body = None
        else:
            whole = False
            announced = length if length >= 0 else _CHUNKED
        try:
            head = request_head(method, target, origin.host_line, headers, announced, beside)
        except ValueError as err:
            raise BadRequest(str(err)) from None
        total_at = now + timers.total
        connect_at = now + timers.connect
        if connect_at > total_at:
            connect_at = total_at
        try:
            connection = origin_pool.take(now, self._waiter, connect_at, client_fd)
        except TimeoutError:
            raise timeout("connect") from None
        finally:
            if spent is not None:
                spent.queued_ns += int((monotonic() - now) * 1e9)
        if connection is None:
            connection = self._dial(origin, origin_pool, connect_at, client_fd, spent)
        return self._converse(
            origin, connection, method, head, body, length, timers, total_at, client_fd,
            whole and (replay or method in IDEMPOTENT), spent,
        )  # fmt: skip

    def _converse(
        self, origin: Origin, connection: Connection, method: str, head: bytes,
        body: bytes | Iterable[bytes] | None, length: int, timers: Timers, total_at: float,
        client_fd: int, again: bool, spent: Spent | None, begun: Begun | None = None,
    ) -> Response:  # fmt: skip
        """Send and hear on `connection`, and on a new one if that turns out to be stale."""
        pool = connection.pool
        while True:
            connection.begin(client_fd, total_at, timers.idle)
            try:
                if begun is None:
                    self._send(connection, head, body, length)
                    at = monotonic() + timers.headers
                else:
                    at, begun = connection.take_up(begun), None
                return self._answer(connection, method, at, timers)
            except _Stale as stale:
                connection.shut()
                whole = body is None or isinstance(body, bytes)
                if not again and not (whole and connection.unsent):
                    pool.vacate()
                    raise UpstreamIncomplete(
                        "the upstream closed the connection without an answer"
                    ) from stale
                connection = self._dial(
                    origin, pool, min(monotonic() + timers.connect, total_at), client_fd, spent
                )
            except Cut as err:
                connection.discard()
                raise UpstreamIncomplete(
                    "the upstream closed the connection without an answer", detail=str(err)
                ) from err
            except BaseException:
                connection.discard()
                raise

    def pool(self, origin: Origin, limits: Pool) -> OriginPool:
        """The connections of `origin`, bounded by `limits` from now on."""
        pool = self._pools.get(origin.key)
        if pool is None:
            pool = self._pools.setdefault(origin.key, OriginPool(limits))
        pool.limits = limits
        return pool

    def resume(
        self, origin: Origin, begun: Begun, timers: Timers, *, client_fd: int = -1,
        spent: Spent | None = None,
    ) -> Response:  # fmt: skip
        """Go on with a POST that the lane has begun on a kept connection, from where it
        left that; else as `request` with `replay`."""
        return self._converse(
            origin, begun.connection, "POST", begun.wire, None, -1, timers,
            begun.total_at, client_fd, True, spent, begun,
        )  # fmt: skip

    def close_idle(self) -> None:
        """Close the connections that were idle for longer than their pool allows.

        Traffic does the same in passing, once a second; an idle worker's tick calls it.
        """
        self._sweep(monotonic())

    def close(self) -> None:
        """Close every idle connection, however young (at a reload or at the end)."""
        for pool in list(self._pools.values()):
            pool.close_idle()

    def stats(self) -> dict[str, dict[str, int]]:
        """By `Origin.key`: connections open (idle ones included), idle, and requests
        waiting for one."""
        return {key: pool.stats() for key, pool in list(self._pools.items())}

    def _send(
        self,
        connection: Connection,
        head: bytes,
        body: bytes | Iterable[bytes] | None,
        length: int,
    ) -> None:
        if body is None:
            connection.send(head)
        elif not isinstance(body, bytes):
            send_pieces(connection, head, body, length)
        elif connection.send(head):
            connection.send(body, first=False)

    def _answer(
        self, connection: Connection, method: str, at: float, timers: Timers
    ) -> Response:
        """The answer's head by time `at`, of a request that was sent."""
        try:
            data = connection.receive(at, "headers")
        except Cut as err:
            if connection.reused:
                raise _Stale from err
            raise
        if not data:
            if connection.reused:
                raise _Stale
            raise Cut("closed")
        no_body = method == "HEAD"
        start = 0
        for _ in range(_INFORMATIONAL):
            found = parse(data, start, no_body)
            if not isinstance(found, tuple) or found[7] - start > self._max_header:
                data, found = self._rest_of_head(connection, data, start, found, at, no_body)
                start = 0
            status, _, _, _, framing, size, keep, end = found
            if status >= 200:
                rest = data[end:] if end < len(data) else b""
                if (
                    framing == LENGTH
                    and size == len(rest)
                    and keep
                    and not connection.partial
                    and not connection.buffer
                ):
                    # Whole already, as most answers are: nothing to hold the connection for.
                    answer = Response(found, rest)
                    connection.pool.release(connection)
                    return answer
                return OpenResponse(found, rest, connection, timers, self._max_header)
            if status == 101:
                raise UpstreamProtocol("the upstream switched protocols unasked")
            start = end
            if start == len(data):
                data = self._more(connection, at)
                start = 0
        raise UpstreamProtocol("the upstream sent too many interim answers")

    def _rest_of_head(
        self,
        connection: Connection,
        data: bytes,
        start: int,
        found: Head | int | None,
        at: float,
        no_body: bool,
    ) -> tuple[bytes, Head]:
        """(bytes that begin with the whole head, the head)"""
        data = data[start:]
        while found is None:
            if len(data) > self._max_header:
                raise UpstreamProtocol("the upstream's header is too large")
            known = max(len(data) - 3, 0)
            data += self._more(connection, at)
            if data.find(b"\r\n\r\n", known) >= 0:
                found = parse(data, 0, no_body)
            elif wrong := damage(data, 0):
                found = wrong
        if isinstance(found, int):
            raise UpstreamProtocol(WORDS[found])
        if found[7] > self._max_header:
            raise UpstreamProtocol("the upstream's header is too large")
        return data, found

    def _more(self, connection: Connection, at: float) -> bytes:
        data = connection.receive(at, "headers")
        if not data:
            raise Cut("closed within the header")
        return data

    def _dial(
        self, origin: Origin, pool: OriginPool, at: float, client_fd: int,
        spent: Spent | None = None,
    ) -> Connection:  # fmt: skip
        """A new connection for a place already taken, which is given up on failure."""
        start = monotonic_ns()
        try:
            context = self._context(origin) if origin.scheme == "https" else None
            return self._dialer.dial(origin, pool, context, at, client_fd)
        except BaseException:
            pool.vacate()
            raise
        finally:
            if spent is not None:
                spent.dialed_ns += monotonic_ns() - start

    def _context(self, origin: Origin) -> ssl.SSLContext:
        context = self._contexts.get(origin.ca_file)
        if context is None:
            context = self._contexts[origin.ca_file] = client_context(origin.ca_file)
        return context

    def _sweep(self, now: float) -> None:
        self._swept = now
        for pool in list(self._pools.values()):
            pool.expire(now)
