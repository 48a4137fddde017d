"""Starting the test application and talking raw HTTP/1.1 to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

APP = Path(__file__).with_name("meinheld_app.py")


class App:
    """The application in its own process; a context manager that stops it."""

    def __init__(self, *args: str, env: dict[str, str] | None = None) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed at exit)
        extra = json.loads(os.environ.get("MEINHELD_APP_ENV", "{}"))  # a sanitized build's
        self.process = subprocess.Popen(
            [sys.executable, str(APP), *args],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **extra, **(env or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line.startswith("port "):
            self.process.wait(10)
            raise RuntimeError(f"the application did not start: {self.errors()}")
        self.port = int(line.split()[1])

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def rss_kb(self) -> int:
        return int(self.ask("/rss").body)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self, timeout: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def ask(self, path: str, timeout: float = 10) -> Answer:
        with self.connect(timeout) as sock:
            sock.sendall(get(path, close=True))
            return Reader(sock).answer()

    def stop(self) -> int:
        """SIGTERM and the exit status; the drain lets open requests finish."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


def get(path: str, *, close: bool = False, method: str = "GET") -> bytes:
    tail = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\n{tail}\r\n".encode()


@dataclass
class Answer:
    """One response as it came."""

    status: int
    version: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Cut(Exception):
    """The connection ended before the response did."""


class Reader:
    """Strict response parser over a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")

    def answer(self, method: str = "GET") -> Answer:
        """The next response; Cut if it is not whole. 100 Continue is skipped."""
        line = self._line()
        version, status, _ = line.split(" ", 2)
        assert version in ("HTTP/1.0", "HTTP/1.1"), f"out of step: {line!r}"
        answer = Answer(int(status), version)
        while line := self._line():
            name, value = line.split(": ", 1)
            if name.lower() in answer.headers:
                raise AssertionError(f"{name} came twice")
            answer.headers[name.lower()] = value
        if answer.status == 100:
            return self.answer(method)
        if method != "HEAD" and answer.status not in (204, 304):
            answer.body = self._body(answer.headers)
        return answer

    def at_end(self) -> bool:
        """Whether the server closes now, having sent nothing more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            out = bytearray()
            while size := int(self._line(), 16):
                out += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            assert self._line() == ""
            return bytes(out)
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._file.read()

    def _line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise Cut(f"line {line!r}")
        return line[:-2].decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise Cut(f"{len(data)} of {size} bytes")
        return data


def until(condition: object, seconds: float = 10) -> None:
    """Poll `condition()` until it is true. Fails at the deadline."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
