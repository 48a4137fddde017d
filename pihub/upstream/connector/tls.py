"""TLS over a non-blocking socket, by memory buffers (ssl.MemoryBIO)."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import certifi

from pihub.domain.ports import Waiter
from pihub.errors import UpstreamUnreachable
from pihub.upstream.connector.connection import READ, Connection, Cut, timeout
from pihub.upstream.connector.pool import OriginPool

_SLICE: Final = 65536


def client_context(ca_file: str) -> ssl.SSLContext:
    """A verifying client context: TLS 1.2 or later, ALPN http/1.1, host names checked.

    Reads files (about 1 MB of RAM for the system's authorities where they are one
    bundle): make it before serving. Raises UpstreamUnreachable for an unusable
    `ca_file`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as err:
            raise UpstreamUnreachable(
                "the upstream's certificate authorities cannot be read",
                detail=f"ca_file {ca_file}: {err}",
            ) from err
        return context
    context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    if not paths.capath and not context.cert_store_stats()["x509_ca"]:
        # An OpenSSL built elsewhere looks in folders that this system does not have.
        context.load_verify_locations(cafile=certifi.where())
    return context


class TlsConnection(Connection):
    """A connection inside TLS. RAM: about 40 kB while open, of OpenSSL's buffers."""

    __slots__ = ("_eof", "_incoming", "_outgoing", "_tls")

    def __init__(
        self,
        sock: socket.socket,
        waiter: Waiter,
        pool: OriginPool,
        context: ssl.SSLContext,
        host: str,
    ) -> None:
        super().__init__(sock, waiter, pool)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._eof = False
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self, at: float) -> None:
        """Raises UpstreamUnreachable if it fails, UpstreamTimeout at `at`."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._refill(at, "connect")
            except ssl.SSLCertVerificationError as err:
                self._alert()
                raise UpstreamUnreachable(
                    "the upstream's certificate is not trusted", detail=err.verify_message
                ) from err
            except ssl.SSLError as err:
                self._alert()
                raise UpstreamUnreachable(
                    "the TLS handshake with the upstream failed", detail=str(err)
                ) from err
            else:
                self._flush()
                return

    def send(self, data: bytes, *, first: bool = True) -> bool:
        for pos in range(0, len(data), _SLICE):
            # Encrypted slice by slice, so that a large body is not held twice.
            part = data[pos : pos + _SLICE] if len(data) > _SLICE else data
            try:
                written = self._tls.write(part)
                while written < len(part):
                    written += self._tls.write(part[written:])
            except ssl.SSLError as err:
                raise Cut(f"TLS: {err.reason or err}") from err
            if not super().send(self._outgoing.read(), first=first):
                return False
            first = False
        return True

    def receive(self, at: float, timer: str) -> bytes:
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        while True:
            data = self._decrypt()
            if self._outgoing.pending:
                self._flush()
            if data or self._eof:
                return data
            self._refill(at, timer)

    def take_now(self) -> bytes:
        data = self.sock.recv(READ)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        plain = self._decrypt()
        if not plain and not self._eof:
            raise BlockingIOError
        return plain

    def quiet(self) -> bool:
        while self._poll.poll(0):
            # Session tickets may arrive unasked; an answer or an end must not.
            try:
                if self.take_now() or self._eof:
                    return False
            except BlockingIOError:
                continue
            except (OSError, Cut):
                return False
        return True

    def _decrypt(self) -> bytes:
        """Plain bytes that are there, b"" if more must be received (or at `_eof`)."""
        parts: list[bytes] = []
        size = 0
        while size < READ:
            try:
                part = self._tls.read(READ)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self._eof = True
                break
            except ssl.SSLError as err:
                if parts:
                    break
                raise Cut(f"TLS: {err.reason or err}") from err
            if not part:
                self._eof = True
                break
            parts.append(part)
            size += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refill(self, at: float, timer: str) -> None:
        if at > self.total_at:
            at, timer = self.total_at, "total"
        try:
            self._wait(self.fd, deadline=at, client_fd=self.client_fd)
        except TimeoutError:
            raise timeout(timer) from None
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return
        except OSError as err:
            raise Cut(str(err)) from err
        if data:
            self._incoming.write(data)
        else:
            # Without TLS's own goodbye this reads as an error: a cut is never an end.
            self._incoming.write_eof()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not super().send(data):
            raise Cut("closed during the TLS handshake")

    def _alert(self) -> None:
        """Tell the upstream why, if it can be sent at once."""
        data = self._outgoing.read()
        if data:
            try:
                self.sock.send(data)
            except OSError:
                return
