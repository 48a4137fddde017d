"""Many slow streams, slow readers and a short soak: one worker, nobody waits for another."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator

import pytest

from tests.isolated.meinheld_harness import App, Reader, get, until
from tests.isolated.meinheld_soak import soak


@pytest.fixture
def app() -> Iterator[App]:
    with App("--write", "20") as running:
        yield running
        assert running.stop() == 0
        assert running.errors() == ""


def test_200_slow_streams_in_one_worker(app: App) -> None:
    count, items = 200, 20
    selector = selectors.DefaultSelector()
    data = {index: bytearray() for index in range(count)}
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for index in range(count):
        sock = app.connect()
        sock.sendall(get(f"/stream?n={items}&ms=80&id=s{index}"))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, index)
    deadline = time.monotonic() + 15
    while len(last) < count:
        assert time.monotonic() < deadline, f"{count - len(last)} streams did not end"
        for key, _ in selector.select(1):
            index = key.data
            data[index] += key.fileobj.recv(65536)  # type: ignore[union-attr]
            if b"s%d:0;" % index in data[index]:
                first.setdefault(index, time.monotonic())
            if data[index].endswith(b"\r\n0\r\n\r\n"):
                last[index] = time.monotonic()
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
    for index, got in data.items():
        wanted = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts(index, items))
        assert bytes(got).split(b"\r\n\r\n", 1)[1] == wanted + b"0\r\n\r\n"
    # Interleaved: every stream began before any was done.
    assert max(first.values()) < min(last.values())


def parts(index: int, items: int) -> list[bytes]:
    return [b"s%d:%d;" % (index, item) for item in range(items)]


@pytest.mark.parametrize("path", ["/big?mb=64", "/whole?mb=64"])
def test_a_slow_reader_of_64_mb_harms_nobody(app: App, path: str) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    slow.settimeout(20)
    slow.connect(("127.0.0.1", app.port))
    reader = Reader(slow)
    # Its second request: the descriptor was polled for reading before.
    slow.sendall(get("/"))
    assert reader.answer().body == b"hello\n"
    slow.sendall(get(path))
    time.sleep(0.3)  # the buffers fill; the test below holds with or without
    used = app.cpu_seconds()
    slowest = 0.0
    for _ in range(50):
        asked = time.monotonic()
        assert app.ask("/").body == b"hello\n"
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.01)
    # Memory that the blocked answer still needs must not serve another one.
    assert len(app.ask("/big?mb=1").body) == 1 << 20
    assert slowest < 0.5
    assert app.cpu_seconds() - used < 0.4, "a blocked writer must not spin"
    body = reader.answer().body
    assert len(body) == 64 << 20
    if path.startswith("/big"):
        piece = 65536
        for index in range(len(body) // piece):
            at = index * piece
            assert body[at : at + piece] == bytes([65 + index % 26]) * piece
    slow.sendall(get("/id?id=after"))
    assert reader.answer().body == b"id=after"
    slow.close()


def test_a_reader_that_stalls_is_cut_and_its_stream_closed() -> None:
    with App("--write", "1") as app:
        sock = app.connect()
        sock.sendall(get("/big?mb=64"))
        until(lambda: app.ask("/closed-count").body == b"1", 8)
        sock.close()


def test_clients_that_leave_do_not_make_the_worker_spin(app: App) -> None:
    socks = [app.connect() for _ in range(50)]
    for index, sock in enumerate(socks):
        sock.sendall(get("/wait?ms=800"))
        if index % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    time.sleep(0.1)
    used = app.cpu_seconds()
    for sock in socks:
        sock.close()
    time.sleep(1)
    assert app.ask("/").body == b"hello\n"
    assert app.cpu_seconds() - used < 0.4


def test_short_soak() -> None:
    report = soak(20_000, 4_000, seed=11)
    assert report.answered > 15_000
    assert set(report.kinds) == {"id", "wait", "stream", "abort"}
    assert report.growth_kb < 2048
