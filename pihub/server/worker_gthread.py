"""The second engine: gunicorn's threads. One thread a request, plain poll(2) waits."""

from __future__ import annotations

import errno
import select
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from gunicorn import http as gunicorn_http
from gunicorn import sock as gunicorn_sock
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

from pihub.domain.ports import Waiter
from pihub.server.fixed_headers import fixed_headers, lines, with_headers
from pihub.server.patience import Patience, PatientSocket, Sources, TooSlow
from pihub.server.waiter_poll import PollWaiter
from pihub.server.worker_base import HubWorker
from pihub.settings.sizes import parse_size

LATE = "408 Request Timeout"
LARGE = "431 Request Header Fields Too Large"
MALFORMED = "400 Bad Request"
PAGES: tuple[tuple[type[Exception], str], ...] = (
    (LimitRequestLine, "414 URI Too Long"),
    (LimitRequestHeaders, LARGE),
    (ExpectationFailed, "417 Expectation Failed"),
    (UnsupportedTransferCoding, "501 Not Implemented"),
)
"""What gunicorn's parser raises; anything else of its own is malformed."""
FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)


class Connection(TConn):  # type: ignore[misc]  # untyped base
    """A connection whose reads have a deadline, and which is counted for its source."""

    patient: PatientSocket | None = None
    initialized: bool

    def __init__(
        self, cfg: Any, sock: Any, client: Any, server: Any, patience: Patience,
        left: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(cfg, sock, client, server)
        self._patience = patience
        self._left: Callable[[], None] | None = left

    def init(self) -> None:
        """In the request's thread. Raises TooSlow, ssl.SSLError."""
        if self.initialized:
            return
        self.initialized = True
        if self.cfg.is_ssl:
            self.sock = self._shaken()
        self.patient = PatientSocket(self.sock, self._patience)
        self.parser = gunicorn_http.get_parser(self.cfg, self.patient, self.client)

    def _shaken(self) -> ssl.SSLSocket:
        """TLS, within the time of a head."""
        self.sock.setblocking(False)
        wrapped: ssl.SSLSocket = gunicorn_sock.ssl_wrap_socket(self.sock, self.cfg)
        deadline = monotonic() + self._patience.head
        while True:
            try:
                wrapped.do_handshake()
                return wrapped
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            waiting = select.poll()
            waiting.register(wrapped, wanted)
            left = deadline - monotonic()
            if left <= 0 or not waiting.poll(left * 1000):
                wrapped.close()
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the handshake took too long")

    def close(self, graceful: bool = False) -> None:
        """In the main thread, once."""
        left, self._left = self._left, None
        if left is not None:
            left()
        super().close(graceful)


class GthreadHubWorker(HubWorker, ThreadWorker):  # type: ignore[misc]  # untyped base
    """Same hub, same suite; the fallback where no meinheld wheel fits."""

    def make_waiter(self) -> Waiter:
        return PollWaiter()

    def init_process(self) -> None:
        limits = self.hub.settings.limits
        self._patience = Patience(limits.head_seconds, limits.body_seconds, limits.write_seconds)
        self._largest_head = parse_size(limits.header)
        self._sources = Sources(limits.connections_per_source, self.spared)
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = with_headers(self.wsgi, fixed_headers(self.hub.settings))

    def run(self) -> None:
        for loop in self.hub.background():
            threading.Thread(target=loop, daemon=True).start()
        super().run()

    def accept(self, listener: socket.socket) -> None:
        """As gunicorn's, for connections that keep a deadline; one too many is closed."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in FULL:
                raise
            return
        source = address[0] if isinstance(address, tuple) else ""
        if not self._sources.enter(source):
            client.close()
            return
        self.nr_conns += 1
        conn = Connection(
            self.cfg, client, address, listener.getsockname(), self._patience,
            lambda: self._sources.leave(source),
        )  # fmt: skip
        # gunicorn would let a thread wait for the first byte: 32 silent clients, and nobody
        # else is served.
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(client, selectors.EVENT_READ,
                             partial(self.on_pending_socket_readable, conn))  # fmt: skip

    def handle(self, conn: Connection) -> Any:
        if conn.patient is not None:
            conn.patient.head_begins()
        try:
            return super().handle(conn)
        except TooSlow:
            self._refuse(conn, LATE)
            return False

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """The head is read. What is longer than `limits.header` goes no further."""
        assert conn.patient is not None
        conn.patient.body_begins()
        if sum(len(name) + len(value) + 4 for name, value in req.headers) > self._largest_head:
            self._refuse(conn, LARGE)
            return False
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:
        if conn.patient is not None:
            conn.patient.rest_begins()
        return bool(super()._keepalive_after(conn, keepalive))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """As gunicorn's, without its HTML page that repeats the request, and with the fields
        that every answer has."""
        own = isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName)
        if isinstance(exc, ParseException | ssl.SSLError) and not own:
            status = next((told for kind, told in PAGES if isinstance(exc, kind)), MALFORMED)
            self.log.debug("a request was refused: %s", exc)
        else:
            status = "500 Internal Server Error"
            self.log.exception("unhandled exception in a request")
        self._page(client, status)

    def _refuse(self, conn: Connection, status: str) -> None:
        with suppress(OSError):
            conn.sock.settimeout(1.0)
        self._page(conn.sock, status)

    def _page(self, sock: Any, status: str) -> None:
        page = (
            f"HTTP/1.1 {status}\r\nServer: pihub\r\nConnection: close\r\n"
            f"{lines(fixed_headers(self.hub.settings)).decode()}Content-Type: text/plain\r\n"
            f"Content-Length: {len(status) + 1}\r\n\r\n{status}\n"
        )
        with suppress(OSError):
            sock.sendall(page.encode("ascii"))

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled and self.ready_fd >= 0:
            self.report_ready()
        if not enabled and not self.alive:
            # now, not at the end of the drain: an open copy keeps the port accepting
            for listener in self.sockets:
                listener.close()
            self.hub.on_tick(leaving=True)  # its loop ends here, no tick will come

    def notify(self) -> None:
        """gunicorn calls it in every turn of its loop, at least once a second."""
        self.tick()
