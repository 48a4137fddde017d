"""Direct answers: the ported server asks the application before it makes an environ."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.isolated.meinheld_harness import App, Cut, Reader, get, until


@pytest.fixture(scope="module")
def shared() -> Iterator[App]:
    with App("--direct") as running:
        yield running
        assert running.ask("/").body == b"hello\n", "the worker must be alive after all"
        assert running.stop() == 0, running.errors()


@pytest.fixture
def app(shared: App) -> App:
    shared.ask("/asked")
    return shared


def post(path: str, body: bytes, *fields: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: t", *fields, f"Content-Length: {len(body)}"]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode("latin-1") + body


def asked(app: App) -> list[Any]:
    found: list[Any] = json.loads(app.ask("/asked").body)
    return found


def test_an_answer_is_whole_and_the_connection_stays(app: App) -> None:
    with app.connect() as sock:
        reader = Reader(sock)
        for body in (b"one", b"", b"x" * 60_000):
            sock.sendall(post("/direct", body, "Content-Type: application/json"))
            answer = reader.answer()
            assert (answer.status, answer.version) == (200, "HTTP/1.1")
            assert answer.body == b"direct:" + body
            assert answer.headers["x-way"] == "direct"
            assert answer.headers["server"] == "pihub"
            assert answer.headers["date"].endswith(" GMT")
        sock.sendall(post("/echo", b"long way"))
        assert reader.answer().body == b"long way"
        sock.sendall(post("/direct", b"again"))
        assert reader.answer().body == b"direct:again"


@pytest.mark.parametrize("cut", [100, 104, 105, 130, 149])
def test_a_body_that_comes_later(app: App, cut: int) -> None:
    """Before the head's end, at it, within the body: one answer, by either way."""
    whole = post("/direct", b"b" * 50, "X-Pad: " + "p" * 40)
    assert whole.index(b"\r\n\r\n") + 4 == 103
    with app.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(whole[:cut])
        time.sleep(0.02)
        sock.sendall(whole[cut:])
        reader = Reader(sock)
        answer = reader.answer()
        assert (answer.headers.get("x-way") == "direct") == (cut > 102)
        sock.sendall(post("/direct", b"next"))
        assert reader.answer().body == b"direct:next"


def test_pipelined_requests_are_answered_in_order(app: App) -> None:
    with app.connect() as sock:
        both = post("/direct", b"1") + post("/echo", b"2") + post("/direct", b"3")
        sock.sendall(both * 3)
        reader = Reader(sock)
        bodies = [reader.answer().body for _ in range(9)]
    # what stands in front of another request goes the long way, and "hello" is its answer
    assert bodies == [b"hello\n", b"2", b"hello\n"] * 2 + [b"hello\n", b"2", b"direct:3"]


def test_a_held_request_followed_by_others(app: App) -> None:
    first = post("/direct", b"a" * 1000)
    with app.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(first[:-500])
        time.sleep(0.02)
        sock.sendall(first[-500:] + post("/direct", b"b") + post("/echo", b"c"))
        reader = Reader(sock)
        assert reader.answer().body == b"direct:" + b"a" * 1000
        assert reader.answer().body == b"hello\n"
        assert reader.answer().body == b"c"


def test_a_slow_reader_gets_all_and_keeps_nobody(app: App) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect(("127.0.0.1", app.port))
        slow.sendall(post("/direct-big", b"12"))
        for _ in range(20):
            assert app.ask("/id?id=1").body == b"id=1"
        reader = Reader(slow)
        assert reader.answer().body == b"00000002" * (12 << 17)
        slow.sendall(post("/direct", b"after"))
        assert reader.answer().body == b"direct:after"


def test_readers_that_leave_do_no_harm() -> None:
    # large blocks go back to the system at once, so that what is kept can be seen
    with App("--direct", env={"MALLOC_MMAP_THRESHOLD_": "65536"}) as app:
        before = app.rss_kb()
        for _ in range(20):
            with app.connect() as sock:
                sock.sendall(post("/direct-big", b"8"))
            with app.connect() as sock:
                sock.sendall(post("/direct", b"half" * 1000)[:-10])
        until(lambda: app.rss_kb() < before + 40_000)
        assert app.stop() == 0, app.errors()


def test_a_body_that_stalls_is_refused() -> None:
    with App("--direct", "--body", "1") as app, app.connect() as sock:
        started = time.monotonic()
        sock.sendall(post("/direct", b"half" * 10)[:-10])
        assert Reader(sock).answer().status == 408
        assert time.monotonic() - started < 5


def test_a_reader_that_stalls_is_cut() -> None:
    with App("--direct", "--write", "1") as app, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10)
        slow.connect(("127.0.0.1", app.port))
        slow.sendall(post("/direct-big", b"12"))
        files = f"/proc/{app.process.pid}/fd"
        until(lambda: len(os.listdir(files)) == 6)  # the listener, epoll, and the reader
        until(lambda: len(os.listdir(files)) == 5)
        with pytest.raises((Cut, ConnectionResetError)):
            Reader(slow).answer()


def test_leaving() -> None:
    """Nothing is answered directly any more: the long way says that the connection ends."""
    with App("--direct") as app, app.connect() as sock:
        reader = Reader(sock)
        sock.sendall(post("/direct", b"1"))
        assert reader.answer().body == b"direct:1"
        half = post("/direct", b"half" * 10)
        sock.sendall(half[:-10])
        assert app.ask("/drain").body == b"draining"
        sock.sendall(half[-10:])
        answer = reader.answer()
        assert (answer.body, answer.headers["connection"]) == (b"hello\n", "close")
        assert app.process.wait(10) == 0


def test_no_keep_alive_no_direct_answer() -> None:
    with App("--direct", "--keepalive", "0") as app, app.connect() as sock:
        sock.sendall(post("/direct", b"1"))
        assert Reader(sock).answer().body == b"hello\n"


PLAIN = ["X-A: 1", "x-b:2", "User-Agent:   spaced  ", "X-Empty:", "Accept: */*", "cOOKIE: a=b; c"]
ODD = [
    "X_Under: 1", "X-Tab: a\tb", "X-High: \xe9", "Host: u", "Content-Length: 4", "TE: trailers",
    "Connection: close", "Connection: upgrade", "Transfer-Encoding: chunked", "Proxy: x",
    "Expect: 100-continue", "Upgrade: h2c", "Trailer: x", " folded", "X-Nul: \0", "X-Del: \x7f",
    "No colon", "Space : x", "Proxy-Connection: close", "Keep-Alive: 5", "X-Long: " + "l" * 9000,
]  # fmt: skip


@pytest.mark.parametrize("line", [line for line in ODD if not line.startswith(("Keep-", "X-Long"))])
def test_what_is_odd_is_left_to_the_parser(app: App, line: str) -> None:
    with app.connect() as sock:
        sock.sendall(post("/direct", b"", line))
        sock.shutdown(socket.SHUT_WR)
        try:
            assert "x-way" not in Reader(sock).answer().headers
        except (Cut, ConnectionResetError):
            pass  # not even the parser had an answer to a request without an end


def test_what_it_is_told_is_what_the_parser_reads(app: App) -> None:
    """Random heads, plain and odd: if the application was asked at all, it was told what the
    environ of the same request holds, and the request was a good one."""
    rng = random.Random(5)
    told = 0
    for _ in range(400):
        lines = rng.sample(PLAIN, rng.randrange(len(PLAIN)))
        lines += rng.choices(ODD, k=rng.choice([0, 0, 1]))
        rng.shuffle(lines)
        body = rng.randbytes(rng.choice([0, 4, 700]))
        path = rng.choice(["/env", "/env?x=1", "/en%76", "/env/..", "//env", "/env;a"])
        raw = post(path, body, *lines).replace(b"HTTP/1.1", rng.choice([b"HTTP/1.1"] * 4 + [
            b"HTTP/1.0", b"HTTP/1.2"]), 1)  # fmt: skip
        raw = raw.replace(b"POST", rng.choice([b"POST"] * 6 + [b"PUT", b"post"]), 1)
        with app.connect() as sock:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            try:
                answer = Reader(sock).answer()
            except (Cut, ConnectionResetError, ValueError):
                answer = None
        for ask in asked(app):
            told += 1
            assert answer is not None and answer.status == 200, raw
            if ask[0] != "/env":
                continue
            env = json.loads(answer.body)
            assert ask[1] == env["body"]
            seen = env["environ"]
            assert ask[0] == seen["PATH_INFO"] and seen["QUERY_STRING"] == ""
            assert seen["REQUEST_METHOD"] == "POST" and seen["SERVER_PROTOCOL"] == "HTTP/1.1"
            names = [name.upper().replace("-", "_") for name, _ in ask[2]]
            assert len(set(names)) == len(names)
            for name, (_, value) in zip(names, ask[2], strict=True):
                assert seen[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] == value
            framing = {"HTTP_HOST", "HTTP_CONNECTION"}
            sent = {k for k in seen if k.startswith("HTTP_")} - framing
            assert sent == {f"HTTP_{name}" for name in names}
    assert told > 60


def test_a_head_with_more_fields_than_fit_goes_the_long_way(app: App) -> None:
    for count, ways in ((32, 1), (33, 0)):
        with app.connect() as sock:
            sock.sendall(post("/env", b"", *[f"X-{i}: v" for i in range(count)]))
            assert Reader(sock).answer().status == 200
        assert len(asked(app)) == ways


def test_a_head_of_more_bytes_than_it_may_have_is_refused() -> None:
    """Host and Content-Length count as the parser counts them, and two bytes for ": "."""
    with App("--direct", "--head-bytes", "600") as app:
        for pad, status in ((563, 200), (564, 431)):
            raw = post("/direct", b"", "X-Pad: " + "p" * pad)
            fields = [line.split(b": ") for line in raw.split(b"\r\n")[1:-2]]
            assert sum(len(n) + len(v) + 4 for n, v in fields) == pad + 37
            with app.connect() as sock:
                sock.sendall(raw)
                assert Reader(sock).answer().status == status


def test_get_is_never_direct(app: App) -> None:
    with app.connect() as sock:
        sock.sendall(get("/direct"))
        assert Reader(sock).answer().body == b"hello\n"
