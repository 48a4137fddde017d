"""A small WSGI application on the ported server, run as a process of its own.

    python tests/isolated/meinheld_app.py [--keepalive 10] [--body-buffer N] [--max-body N]

Prints `port NUMBER` once it listens on 127.0.0.1, answers until SIGTERM, then drains.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from meinheld import server

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.directly import Ask, Offer

Environ = dict[str, Any]
Start = Callable[..., Any]

CLOCK_MONOTONIC = 1
NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


class TimeSpec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class TimerSpec(ctypes.Structure):
    _fields_ = (("interval", TimeSpec), ("value", TimeSpec))


LIBC = ctypes.CDLL(None, use_errno=True)


def wait(ms: float) -> None:
    """Sleep on a timerfd: the other requests go on."""
    fd = LIBC.timerfd_create(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
    nsec = max(1, int(ms * 1_000_000))
    spec = TimerSpec(TimeSpec(0, 0), TimeSpec(nsec // 10**9, nsec % 10**9))
    LIBC.timerfd_settime(fd, 0, ctypes.byref(spec), None)
    try:
        while True:
            server.trampoline(fd, read=True)
            try:
                os.read(fd, 8)
            except BlockingIOError:
                continue
            return
    finally:
        os.close(fd)


def text(start: Start, body: bytes, status: str = "200 OK", *extra: tuple[str, str]) -> list[bytes]:
    start(status, [("Content-Type", "text/plain"), *extra])
    return [body]


def describe(environ: Environ) -> bytes:
    plain = {k: v for k, v in environ.items() if isinstance(v, str)}
    body = environ["wsgi.input"].read()
    return json.dumps({"environ": plain, "body": body.decode("latin-1")}).encode()


def stream(query: dict[str, str]) -> Iterator[bytes]:
    ident, ms = query.get("id", ""), float(query.get("ms", "0"))
    try:
        for index in range(int(query.get("n", "10"))):
            if ms:
                wait(ms)
            yield f"{ident}:{index};".encode()
    finally:
        Broken.closed += 1


def pieces(count: int, size: int) -> Iterator[bytes]:
    """Each piece is a new object that only the server keeps alive while it sends."""
    try:
        for index in range(count):
            yield bytes([65 + index % 26]) * size
    finally:
        Broken.closed += 1


class Broken:
    """An iterable that fails after its first item; counts its close()."""

    closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("late")

    def close(self) -> None:
        Broken.closed += 1


def odd_answers(path: str, start: Start, query: dict[str, str]) -> Iterable[bytes] | None:
    """Applications that misbehave, or use corners of PEP 3333."""
    plain = [("Content-Type", "text/plain")]
    match path:
        case "/fail":
            raise RuntimeError("early")
        case "/late":
            start("200 OK", plain)
            return Broken()
        case "/late-length":
            start("200 OK", [*plain, ("Content-Length", "100")])
            return Broken()
        case "/empty-items":
            start("200 OK", plain)
            return iter([b"", b"a", b"", b"b", b""])
        case "/nothing":
            start("200 OK", plain)
            return iter([])
        case "/too-much":
            start("200 OK", [*plain, ("Content-Length", "3")])
            return iter([b"ab", b"cdef", b"gh"])
        case "/too-little":
            start("200 OK", [*plain, ("Content-Length", "9")])
            return [b"abc"]
        case "/no-content":
            start("204 No Content", [*plain, ("Content-Length", "5")])
            return [b"hello"]
        case "/split":
            start("200 OK", [("X-Bad", "a\r\nX-Injected: 1")])
            return [b"x"]
        case "/wide":
            start("200 OK", [("X-Wide", "\u20ac")])
            return [b"x"]
        case "/str-item":
            start("200 OK", plain)
            return iter(["text"])  # type: ignore[list-item]
        case "/hop":
            hop = [("Transfer-Encoding", "chunked"), ("Server", "spy"), ("Keep-Alive", "9")]
            start("200 OK", [*plain, *hop])
            return [b"x"]
        case "/close":
            return text(start, b"bye", "200 OK", ("Connection", "close"))
        case "/write":
            write = start("200 OK", plain)
            write(b"one ")
            write(b"two ")
            return [b"three"]
        case "/twice":
            start("200 OK", plain)
            start("500 Oops", plain)
            return [b"x"]
        case "/silent":
            return [b"x"]
    return None


KEPT: list[Any] = []


def app(environ: Environ, start: Start) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    match path:
        case "/env":
            return text(start, describe(environ))
        case "/echo":
            return text(start, environ["wsgi.input"].read())
        case "/id":
            ident = query.get("id", "")
            return text(start, f"id={ident}".encode(), "200 OK", ("X-Id", ident))
        case "/wait":
            before = query.get("id", "")
            wait(float(query.get("ms", "5")))
            return text(start, f"id={before}".encode(), "200 OK", ("X-Id", before))
        case "/stream":
            start("200 OK", [("Content-Type", "text/plain"), ("X-Id", query.get("id", ""))])
            return stream(query)
        case "/big":
            size, piece = int(query.get("mb", "1")) << 20, int(query.get("piece", "65536"))
            start("200 OK", [("Content-Type", "text/plain")])
            return pieces(size // piece, piece)
        case "/whole":
            return text(start, b"w" * (int(query.get("mb", "1")) << 20))
        case "/rss":
            return text(start, str(resident_kb()).encode())
        case "/keep":
            KEPT[:] = [environ["meinheld.client"], start]
            return text(start, str(environ["meinheld.client"].get_fd()).encode())
        case "/kept":
            client, old_start = KEPT
            try:
                old_start("200 OK", [])
                late = "called"
            except RuntimeError as error:
                late = str(error)
            return text(start, f"{client.get_fd()} {late}".encode())
        case "/spawn":
            done: list[str] = []
            server.spawn(lambda: (wait(20), done.append("spawned")))
            wait(60)
            return text(start, "".join(done).encode())
        case "/same-fd":
            return text(start, same_fd().encode())
        case "/no-delay":
            return text(start, no_delay(environ["meinheld.client"].get_fd()).encode())
        case "/closed-count":
            return text(start, str(Broken.closed).encode())
        case "/drain":
            server.drain(float(query.get("s", "5")))
            return text(start, b"draining")
    odd = odd_answers(path, start, query)
    return text(start, b"hello\n") if odd is None else odd


def no_delay(fd: int) -> str:
    with socket.socket(fileno=os.dup(fd)) as copy:
        return str(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def same_fd() -> str:
    """Two greenlets on one descriptor: the second is told, the first is woken."""
    ours, theirs = os.pipe()
    woken: list[str] = []

    def first() -> None:
        server.trampoline(ours, read=True)
        woken.append("first")

    server.spawn(first)
    wait(10)
    try:
        server.trampoline(ours, read=True)
    except RuntimeError:
        woken.append("refused")
    os.close(theirs)  # a hang-up, with nothing to read
    wait(20)
    os.close(ours)
    return " ".join(woken)


def resident_kb() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() // 1024


class Direct:
    """The application with direct answers: to /direct and /direct-big; of all others it only
    notes what it was asked, for /asked to tell."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self._offer = Offer(self.answer)
        self.direct = self._offer.capsule

    def answer(self, ask: Ask) -> tuple[bytes, bytes] | None:
        if ask.path == b"/direct":
            body = b"direct:" + ask.body
        elif ask.path == b"/direct-big":
            body = b"%08d" % len(ask.body) * (int(ask.body or b"1") << 17)  # MiB
        else:
            self.asked.append(ask)
            return None
        return b"200 OK", b"content-length: %d\r\nx-way: direct\r\n\r\n" % len(body) + body

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/asked":
            asked, self.asked = self.asked, []
            found = [
                [a.path.decode(), a.body.decode("latin-1"),
                 [[n.decode(), v.decode()] for n, v in a.fields]]
                for a in asked
            ]  # fmt: skip
            return text(start, json.dumps(found).encode())
        return app(environ, start)


class Errors:
    """The server's error logger: one line an error."""

    def error(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        os.write(2, f"logged {kind.__name__}: {error}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keepalive", type=int, default=10)
    parser.add_argument("--body-buffer", type=int, default=512 * 1024)
    parser.add_argument("--max-body", type=int, default=16 << 20)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--head", type=int, default=15)
    parser.add_argument("--body", type=int, default=20)
    parser.add_argument("--write", type=int, default=60)
    parser.add_argument("--head-bytes", type=int, default=80 << 10, help="of all fields")
    parser.add_argument("--files", type=int, help="limit of open files")
    parser.add_argument("--direct", action="store_true", help="answer some requests directly")
    args = parser.parse_args()
    if args.files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (args.files, args.files))
    faulthandler.enable()
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((args.host, 0))
    listener.listen(1024)
    listener.setblocking(False)
    server.set_keepalive(args.keepalive)
    server.set_client_body_buffer_size(args.body_buffer)
    server.set_max_content_length(args.max_body)
    server.set_picoev_max_fd(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    server.set_patience(head=args.head, body=args.body, write=args.write)
    server.set_limits(head=args.head_bytes)
    server.set_error_logger(Errors())
    server.set_listen_socket([listener.fileno()])
    signal.signal(signal.SIGTERM, lambda *_: server.drain(5))
    print(f"port {listener.getsockname()[1]}", flush=True)
    server.run(Direct() if args.direct else app)
    # Still ours, still listening: the arbiter's other workers share it.
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    listener.close()


if __name__ == "__main__":
    main()
