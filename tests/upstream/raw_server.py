"""A loopback server that says exactly the bytes that a test tells it to."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pihub.upstream.connector import Origin

Handler = Callable[["Peer"], None]


class Peer:
    """One accepted connection. `index` counts from 0; `number` of its request too."""

    def __init__(self, sock: socket.socket, index: int, server: RawServer) -> None:
        self.sock = sock
        self.index = index
        self.server = server
        self.number = -1
        self.head = b""
        self.body = b""
        self._buffer = b""

    def request(self) -> bool:
        """Read one whole request; False if the client closed instead."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._recv()
            if not data:
                return False
            self._buffer += data
        self.head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        fields = self.head.lower()
        if b"transfer-encoding: chunked" in fields:
            self.body = self._chunked()
        else:
            size = 0
            if b"\r\ncontent-length: " in fields:
                size = int(fields.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            while len(self._buffer) < size:
                self._more()
            self.body, self._buffer = self._buffer[:size], self._buffer[size:]
        self.number += 1
        self.server.requests.append((self.head, self.body))
        return True

    def field(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name:
                return value
        return None

    @property
    def target(self) -> str:
        return self.head.split(b" ")[1].decode()

    @property
    def method(self) -> str:
        return self.head.split(b" ")[0].decode()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes = b"", status: str = "200 OK", headers: str = "") -> None:
        extra = "".join(line + "\r\n" for line in headers.split("\n") if line)
        head = f"HTTP/1.1 {status}\r\n{extra}content-length: {len(body)}\r\n\r\n"
        self.send(head.encode("latin-1") + body)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def until_closed(self, seconds: float = 5.0) -> float:
        """Wait until the client closes; how long it took. Fails after `seconds`."""
        begin = time.monotonic()
        self.sock.settimeout(seconds)
        with suppress(ConnectionError):
            while self.sock.recv(65536):
                pass
        return time.monotonic() - begin

    def _recv(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return b""

    def _more(self) -> None:
        data = self._recv()
        if not data:
            raise ConnectionError("the client left within its request")
        self._buffer += data

    def _chunked(self) -> bytes:
        out = b""
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            size = int(line, 16)
            while len(self._buffer) < size + 2:
                self._more()
            out += self._buffer[:size]
            assert self._buffer[size : size + 2] == b"\r\n"
            self._buffer = self._buffer[size + 2 :]
            if not size:
                return out


class RawServer:
    """Accepts on 127.0.0.1 (or a unix path) and runs `handler` in a thread each."""

    def __init__(
        self,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        unix: str = "",
        backlog: int = 128,
    ) -> None:
        self._handler = handler
        self._tls = tls
        self.requests: list[tuple[bytes, bytes]] = []
        self.accepted = 0
        self.failures: list[BaseException] = []
        self._open: list[socket.socket] = []
        if unix:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(unix)
            self._listener.listen(backlog)
            self.url = f"unix:{unix}"
            self.port = 0
        else:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
            self.port = self._listener.getsockname()[1]
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> Origin:
        return Origin.parse(self.url)[0]

    def drop_connections(self) -> None:
        """Close every accepted connection, as a restarting server does."""
        while self._open:
            sock = self._open.pop()
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self.accepted += 1
            index = self.accepted - 1
            threading.Thread(target=self._run, args=(sock, index), daemon=True).start()

    def _run(self, sock: socket.socket, index: int) -> None:
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._handler(Peer(sock, index, self))
        except (OSError, ssl.SSLError):
            pass
        except BaseException as err:  # `serving` reports it
            self.failures.append(err)
        finally:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@contextmanager
def serving(
    handler: Handler,
    *,
    tls: ssl.SSLContext | None = None,
    unix: str = "",
    backlog: int = 128,
) -> Iterator[RawServer]:
    """A RawServer for one test; a failed assertion in the handler fails the test."""
    server = RawServer(handler, tls=tls, unix=unix, backlog=backlog)
    try:
        yield server
    finally:
        server.close()
    assert not server.failures, server.failures


def saying(data: bytes, *, close: bool = True) -> Handler:
    """A handler that answers every request with exactly `data`."""

    def handler(peer: Peer) -> None:
        while peer.request():
            peer.send(data)
            if close:
                return

    return handler


def echoing(peer: Peer) -> None:
    """Answers every request with its own method, target and body."""
    while peer.request():
        peer.answer(f"{peer.method} {peer.target} ".encode() + peer.body)
