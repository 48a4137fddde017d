"""HTTP/1.1 on asyncio streams: just enough of RFC 9112 for a simulated upstream."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

MAX_BODY = 64 << 20
"""Bytes of a request's body held in RAM, per connection."""
MAX_LINE = 64 << 10
"""Bytes of a request line or header line."""


class BadMessage(Exception):
    """The request is no HTTP that the simulator understands."""


class Gone(Exception):
    """The client closed its connection."""


class Reader(asyncio.StreamReader):
    """A stream reader that tells at once when the peer has closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=MAX_LINE, loop=loop)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: BaseException) -> None:
        super().set_exception(exc)  # type: ignore[arg-type]
        self.gone.set()


@dataclass(slots=True)
class Request:
    """One request; header names in lower case, `path` without the query."""

    method: str
    target: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    keep_alive: bool

    def header(self, name: str) -> str:
        for key, value in self.headers:
            if key == name:
                return value
        return ""

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body)


async def read_request(reader: Reader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection; None at its end. Raises BadMessage."""
    try:
        line = await reader.readline()
        if not line:
            return None
        parts = line.decode("latin-1").rstrip("\r\n").split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise BadMessage("request line")
        headers: list[tuple[str, str]] = []
        while True:
            line = await reader.readline()
            if line in (b"\r\n", b"\n"):
                break
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(headers) > 200:
                raise BadMessage("header")
            headers.append((name.strip().lower(), value.strip()))
        fields = dict(headers)
        if fields.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(reader, fields)
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    except ValueError as exc:
        raise BadMessage(str(exc)) from None
    connection = fields.get("connection", "").lower()
    keep = "close" not in connection and (parts[2] != "HTTP/1.0" or "keep-alive" in connection)
    return Request(parts[0], parts[1], parts[1].partition("?")[0], headers, body, keep)


async def _body(reader: Reader, fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding", "").lower() == "chunked":
        pieces: list[bytes] = []
        total = 0
        while size := int((await reader.readline()).split(b";")[0], 16):
            total += size
            if total > MAX_BODY:
                raise BadMessage("body too large")
            pieces.append(await reader.readexactly(size))
            await reader.readline()
        while (await reader.readline()) not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(pieces)
    length = int(fields.get("content-length", "0"))
    if not 0 <= length <= MAX_BODY:
        raise BadMessage("content-length")
    return await reader.readexactly(length) if length else b""


class Reply:
    """What is sent back: a whole body, or chunks. Every write raises Gone when the
    client has left."""

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter, request: Request) -> None:
        self._reader = reader
        self._writer = writer
        self._head_only = request.method == "HEAD"
        self._chunked = False
        self.status = 0
        self.keep_alive = request.keep_alive

    def head(
        self, status: int, headers: list[tuple[str, str]], *, length: int | None = None
    ) -> None:
        """Send the response head; without `length` the body follows in chunks."""
        self.status = status
        self._chunked = length is None
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Overloaded" if status == 529 else "Status"
        lines = [f"HTTP/1.1 {status} {phrase}", f"date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        lines.append(framing)
        if not self.keep_alive:
            lines.append("connection: close")
        self._send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def whole(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.head(status, headers, length=len(body))
        if not self._head_only:
            self._send(body)

    def chunk(self, data: bytes) -> None:
        if data and not self._head_only:
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def flush(self) -> None:
        """Wait until a slow client has taken what was written."""
        try:
            await self._writer.drain()
        except ConnectionError:
            raise Gone from None

    def end(self) -> None:
        if self._chunked and not self._head_only:
            self._send(b"0\r\n\r\n")

    async def pause(self, seconds: float) -> None:
        """Wait; raises Gone as soon as the client leaves."""
        if seconds <= 0.1:
            await asyncio.sleep(max(0.0, seconds))
        else:
            try:
                await asyncio.wait_for(self._reader.gone.wait(), seconds)
            except TimeoutError:
                return
        if self._reader.gone.is_set():
            raise Gone

    def reset(self) -> None:
        """Close by RST: linger of zero seconds (socket(7))."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.keep_alive = False
        self._writer.transport.abort()

    def _send(self, data: bytes) -> None:
        if self._reader.gone.is_set() or self._writer.is_closing():
            raise Gone
        self._writer.write(data)
