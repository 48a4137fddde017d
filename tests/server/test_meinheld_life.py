"""Peers, patience, shortage and leaving: the ported server's life around requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.isolated.meinheld_harness import App, Cut, Reader, get, until


@pytest.fixture
def app() -> Iterator[App]:
    with App() as running:
        yield running


def remote(reader: Reader, sock: socket.socket) -> str:
    sock.sendall(get("/env"))
    return str(json.loads(reader.answer().body)["environ"]["REMOTE_ADDR"])


def test_every_connection_keeps_its_own_peer_address(app: App) -> None:
    socks = [socket.socket() for _ in range(3)]
    for index, sock in enumerate(socks):
        sock.settimeout(10)
        sock.bind((f"127.0.0.{index + 1}", 0))
        sock.connect(("127.0.0.1", app.port))
    readers = [Reader(sock) for sock in socks]
    for _ in range(2):
        seen = [remote(reader, sock) for reader, sock in zip(readers, socks, strict=True)]
        assert seen == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    for sock in socks:
        sock.close()


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 on this machine")
def test_ipv6_peers() -> None:
    with App("--host", "::1") as app:
        with socket.create_connection(("::1", app.port), timeout=10) as sock:
            sock.sendall(get("/env", close=True))
            environ = json.loads(Reader(sock).answer().body)["environ"]
        assert environ["REMOTE_ADDR"] == environ["SERVER_NAME"] == "::1"
        assert int(environ["REMOTE_PORT"]) > 0
        assert environ["SERVER_PORT"] == str(app.port)


def test_no_delay_is_set(app: App) -> None:
    assert app.ask("/no-delay").body == b"1"


def test_a_head_that_dribbles_in_is_refused() -> None:
    with App("--head", "1") as app, app.connect() as sock:
        started = time.monotonic()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n")
        sock.setblocking(False)
        answer = dribble(sock, b"X-A: b\r\n")
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert time.monotonic() - started < 5
        assert app.ask("/").body == b"hello\n"


def test_a_body_that_dribbles_in_is_refused() -> None:
    with App("--body", "1") as app, app.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n")
        sock.setblocking(False)
        answer = dribble(sock, b"x")
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def dribble(sock: socket.socket, piece: bytes) -> bytes:
    """Send `piece` now and then until an answer comes."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return sock.recv(1000)
        except BlockingIOError:
            sock.send(piece)
            time.sleep(0.1)
    raise AssertionError("no answer")


def test_idle_connections_are_closed() -> None:
    with App("--keepalive", "1") as app, app.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get("/"))
        assert reader.answer().status == 200
        started = time.monotonic()
        assert reader.at_end()
        assert time.monotonic() - started < 4


def test_a_large_refused_upload_still_gets_its_answer() -> None:
    # Without the lingering close the reset would overtake the 413.
    with App("--max-body", "100000") as app, app.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9000000\r\n\r\n")
        sock.sendall(b"x" * 9_000_000)
        assert Reader(sock).answer().status == 413


def test_running_out_of_descriptors_is_survived() -> None:
    with App("--files", "40") as app:
        socks = [app.connect() for _ in range(80)]
        for sock in socks:
            sock.sendall(get("/"))
        used = app.cpu_seconds()
        time.sleep(1)
        assert app.cpu_seconds() - used < 0.1, "a listener that cannot accept must not spin"
        for sock in socks:
            sock.close()
        until(lambda: answers(app), 8)
        assert app.stop() == 0


def answers(app: App) -> bool:
    try:
        return app.ask("/", timeout=1).body == b"hello\n"
    except (OSError, Cut):
        return False


def test_drain_finishes_what_runs_and_closes_what_idles(app: App) -> None:
    idle, busy, late = app.connect(), app.connect(), app.connect()
    idle_reader, busy_reader, late_reader = Reader(idle), Reader(busy), Reader(late)
    for sock, reader in ((idle, idle_reader), (late, late_reader)):
        sock.sendall(get("/"))
        assert "connection" not in reader.answer().headers
    busy.sendall(get("/stream?n=15&ms=100&id=s"))
    time.sleep(0.2)
    started = time.monotonic()
    app.process.send_signal(signal.SIGTERM)
    until(lambda: not accepts(app), 5)
    # A kept connection may ask once more: it is answered, and told to go elsewhere.
    late.sendall(get("/id?id=late"))
    answer = late_reader.answer()
    assert (answer.body, answer.headers["connection"]) == (b"id=late", "close")
    assert idle_reader.at_end()
    assert time.monotonic() - started < 3
    assert busy_reader.answer().body == b"".join(b"s:%d;" % i for i in range(15))
    assert app.process.wait(5) == 0
    assert time.monotonic() - started < 4
    assert app.errors() == ""


def accepts(app: App) -> bool:
    """Whether a new connection is still answered by this worker."""
    try:
        with app.connect(0.3) as sock:
            sock.sendall(get("/", close=True))
            return Reader(sock).answer().status == 200
    except OSError:
        return False


def test_drain_ends_at_its_deadline(app: App) -> None:
    with app.connect() as waiting, app.connect() as streaming:
        waiting.sendall(get("/wait?ms=60000"))
        streaming.sendall(get("/stream?n=1000&ms=50"))
        time.sleep(0.1)
        assert app.ask("/drain?s=1").body == b"draining"
        assert Reader(waiting).answer().status == 503
        with pytest.raises(Cut):
            Reader(streaming).answer()
        assert app.process.wait(5) == 0
        assert app.errors() == ""
