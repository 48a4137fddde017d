"""New connections: names, addresses in turn, non-blocking connect, TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from time import monotonic
from typing import Final

from pihub.domain.ports import Resolver, Waiter
from pihub.errors import Overloaded, UpstreamTimeout, UpstreamUnreachable
from pihub.upstream.connector.connection import Connection, Cut, timeout
from pihub.upstream.connector.origin import Origin
from pihub.upstream.connector.pool import OriginPool
from pihub.upstream.connector.tls import TlsConnection

_RETRY: Final = 0.02
"""Seconds between looks at a name under way, or at a unix socket whose backlog is full."""
_LEAST: Final = 0.25
"""Seconds that each address gets at least, while the connect timer lasts."""
_PENDING: Final = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EINTR})
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Dialer:
    """Opens connections for one worker."""

    __slots__ = ("_resolver", "_waiter")

    def __init__(self, waiter: Waiter, resolver: Resolver) -> None:
        self._waiter = waiter
        self._resolver = resolver

    def dial(
        self,
        origin: Origin,
        pool: OriginPool,
        context: ssl.SSLContext | None,
        at: float,
        client_fd: int,
    ) -> Connection:
        """A connected (and, with `context`, TLS-verified) connection by time `at`.

        Every address is tried in turn, each with an equal share of the time that is
        left. Raises UpstreamUnreachable, UpstreamTimeout(timer="connect"), Overloaded
        (no descriptors left) or ClientGone; the caller's place in the pool stays his.
        """
        addresses = self._addresses(origin, at, client_fd)
        failures: list[str] = []
        timed_out = False
        for index, (family, address) in enumerate(addresses):
            now = monotonic()
            if now >= at and index:
                break
            share = max((at - now) / (len(addresses) - index), _LEAST)
            try:
                sock = self._connect(origin, family, address, min(now + share, at), client_fd)
            except TimeoutError:
                timed_out = True
                failures.append(f"{address}: timed out")
                continue
            except OSError as err:
                timed_out = False
                failures.append(f"{address}: {err.strerror or err}")
                continue
            if context is None:
                return Connection(sock, self._waiter, pool)
            return self._secure(origin, sock, pool, context, at, client_fd)
        if timed_out:
            raise timeout("connect")
        raise UpstreamUnreachable(
            "the upstream cannot be connected to", detail="; ".join(failures) or "no address"
        )

    def _addresses(
        self, origin: Origin, at: float, client_fd: int
    ) -> Sequence[tuple[int, str]]:
        if origin.family:
            return ((origin.family, origin.host),)
        while True:
            addresses = self._resolver.addresses(origin.host)
            if addresses:
                return addresses
            if monotonic() + _RETRY >= at:
                raise UpstreamTimeout(
                    "the upstream's name was not resolved in time", timer="connect"
                )
            self._waiter.sleep(_RETRY, client_fd=client_fd)

    def _connect(
        self, origin: Origin, family: int, address: str, at: float, client_fd: int
    ) -> socket.socket:
        """Raises OSError, TimeoutError or ClientGone; the socket is closed then."""
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as err:
            if err.errno in _NO_ROOM:
                raise Overloaded("the hub has no free descriptor", detail=str(err)) from err
            raise
        try:
            if family == socket.AF_UNIX:
                self._connect_unix(sock, address, at, client_fd)
                return sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            code = sock.connect_ex((address, origin.port))
            if code in _PENDING:
                self._waiter.wait(sock.fileno(), write=True, deadline=at, client_fd=client_fd)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            return sock
        except BaseException:
            sock.close()
            raise

    def _connect_unix(
        self, sock: socket.socket, path: str, at: float, client_fd: int
    ) -> None:
        while True:
            code = sock.connect_ex(path)
            if not code:
                return
            # A full backlog of a unix socket says EAGAIN and gives nothing to wait on.
            if code != errno.EAGAIN:
                raise OSError(code, os.strerror(code))
            if monotonic() + _RETRY >= at:
                raise TimeoutError
            self._waiter.sleep(_RETRY, client_fd=client_fd)

    def _secure(
        self,
        origin: Origin,
        sock: socket.socket,
        pool: OriginPool,
        context: ssl.SSLContext,
        at: float,
        client_fd: int,
    ) -> Connection:
        try:
            connection = TlsConnection(sock, self._waiter, pool, context, origin.host)
            connection.begin(client_fd, at, at)
            connection.handshake(at)
        except Cut as err:
            sock.close()
            raise UpstreamUnreachable(
                "the TLS handshake with the upstream failed", detail=str(err)
            ) from err
        except UpstreamTimeout as err:
            sock.close()
            raise timeout("connect") from err
        except BaseException:
            sock.close()
            raise
        return connection
