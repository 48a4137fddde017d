"""One request, one answer: framing, methods, reuse, strictness."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pihub.errors import (
    BadRequest,
    ConfigError,
    PihubError,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamUnreachable,
)
from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector import Connector, Origin, Response
from tests.upstream.raw_server import Peer, RawServer, echoing, saying, serving
from tests.upstream.waiter import PollWaiter, TableResolver

T = Timers(connect=2, headers=2, first_byte=2, idle=2, total=5)


def connector() -> Connector:
    return Connector(PollWaiter(), TableResolver())


def get(server: RawServer, client: Connector | None = None, method: str = "GET") -> Response:
    return (client or connector()).request(server.origin, method, "/", [], None, T)


OK = b"HTTP/1.1 200 OK\r\n"


def test_a_small_answer_and_its_head() -> None:
    data = b"HTTP/1.1 201 Made it\r\nX-One: a \r\nx-one:b\r\nContent-Length: 2\r\n\r\nhi"
    with serving(saying(data)) as server:
        answer = get(server)
        assert (answer.status, answer.reason, answer.version) == (201, "Made it", "1.1")
        assert answer.headers == [("x-one", "a"), ("x-one", "b"), ("content-length", "2")]
        assert answer.header("x-one") == "a, b"
        assert answer.framing == "content-length"
        assert answer.read_some() == b"hi"
        assert answer.read_some() == b""


def test_what_is_sent() -> None:
    with serving(echoing) as server:
        client = connector()
        headers = [
            ("X-Key", "v\xe9"),
            ("Content-Length", "99"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close, x-key"),
        ]
        answer = client.request(server.origin, "POST", "/a?b=%20", headers, b"body", T)
        assert answer.read_all(100) == b"POST /a?b=%20 body"
        head = server.requests[0][0].decode("latin-1")
        assert head == (
            f"POST /a?b=%20 HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nx-key: v\xe9\r\n"
            "content-length: 4"
        )


@pytest.mark.parametrize(
    ("method", "body", "field"),
    [
        ("GET", None, None),
        ("DELETE", None, None),
        ("POST", None, "content-length: 0"),
        ("PUT", b"", "content-length: 0"),
        ("DELETE", b"x", "content-length: 1"),
    ],
)
def test_a_body_is_framed_only_where_it_may_be(
    method: str, body: bytes | None, field: str | None
) -> None:
    with serving(echoing) as server:
        connector().request(server.origin, method, "/", [], body, T).read_all(99)
        lines = server.requests[0][0].decode().split("\r\n")
        assert [x for x in lines if x.startswith("content-length")] == ([field] if field else [])


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/", [("x", "a\r\nb: c")]),
        ("GET", "/", [("x", "a\nb")]),
        ("GET", "/", [("x", "a\0")]),
        ("GET", "/", [("x\r\ny", "a")]),
        ("GET", "/", [("x y", "a")]),
        ("GET", "/", [("", "a")]),
        ("GET", "/", [("x", "\u20ac")]),
        ("GET", "/a b", []),
        ("GET", "/a\r\nb", []),
        ("GET", "/\xe9", []),
        ("GET", "a", []),
        ("GET", "http://other/", []),
        ("GET\r\n", "/", []),
        ("GE T", "/", []),
        ("CONNECT", "/", []),
    ],
)
def test_nothing_can_be_smuggled_into_a_request(
    method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    with serving(echoing) as server, pytest.raises(BadRequest):
        connector().request(server.origin, method, target, headers, None, T)
    assert server.requests == []


def test_a_caller_may_name_the_host() -> None:
    with serving(echoing) as server:
        client = connector()
        client.request(server.origin, "GET", "/", [("Host", "hub.example")], None, T).read_all(9)
        lines = server.requests[0][0].decode().split("\r\n")
        assert [x for x in lines if x.startswith("host")] == ["host: hub.example"]
        with pytest.raises(BadRequest):
            client.request(server.origin, "GET", "/", [("host", "a"), ("host", "b")], None, T)


def test_pieces_are_sent_chunked() -> None:
    with serving(echoing) as server:
        client = connector()
        body = iter([b"one", b"", b"two" * 100_000])
        answer = client.request(server.origin, "PUT", "/", [], body, T)
        assert answer.read_all(1 << 20) == b"PUT / one" + b"two" * 100_000
        assert b"transfer-encoding: chunked" in server.requests[0][0]
        assert client.request(server.origin, "POST", "/", [], iter([]), T).read_all(9) == b"POST / "
        assert server.accepted == 1


def test_pieces_of_a_known_length_are_not_chunked() -> None:
    with serving(echoing) as server:
        client = connector()
        for pieces, length in (([b"one", b"", b"two" * 100_000], 300_003), ([], 0)):
            answer = client.request(
                server.origin, "PUT", "/", [], iter(pieces), T, length=length
            )
            assert answer.read_all(1 << 20) == b"PUT / " + b"".join(pieces)
            head = server.requests[-1][0]
            assert b"content-length: %d" % length in head
            assert b"transfer-encoding" not in head
        assert server.accepted == 1
        for length in (2, 4):
            with pytest.raises(BadRequest):
                client.request(server.origin, "PUT", "/", [], iter([b"abc"]), T, length=length)
        assert client.stats()[server.origin.key]["open"] == 0


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
def test_large_bodies_both_ways(size: int) -> None:
    with serving(echoing) as server:
        client = connector()
        body = os.urandom(size)
        assert client.request(server.origin, "POST", "/", [], body, T).read_all(1 << 23) == (
            b"POST / " + body
        )
        assert client.stats()[server.origin.key] == {"open": 1, "idle": 1, "waiting": 0}


@pytest.mark.parametrize(
    ("method", "data", "kept"),
    [
        ("HEAD", OK + b"content-length: 5\r\n\r\n", True),
        ("HEAD", OK + b"transfer-encoding: chunked\r\n\r\n", True),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", True),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 70\r\n\r\n", True),
        ("HEAD", OK + b"content-length: 5\r\n\r\nbody!", False),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\nx", False),
    ],
)
def test_answers_without_a_body(method: str, data: bytes, kept: bool) -> None:
    with serving(saying(data, close=False)) as server:
        client = connector()
        answer = get(server, client, method)
        assert answer.framing == "none"
        assert answer.read_all(10) == b""
        assert client.stats()[server.origin.key]["idle"] == int(kept)


def test_interim_answers_are_skipped() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    with serving(saying(data + OK + b"content-length: 2\r\n\r\nok")) as server:
        answer = get(server)
        assert answer.read_all(9) == b"ok"
        assert answer.header("link") is None


def test_interim_answers_end() -> None:
    with serving(saying(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)) as server:
        with pytest.raises(UpstreamProtocol):
            get(server)


BAD_HEADS = {
    "length and chunked": OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "listed lengths": OK + b"content-length: 1, 2\r\n\r\nab",
    "signed length": OK + b"content-length: +1\r\n\r\na",
    "negative length": OK + b"content-length: -1\r\n\r\na",
    "empty length": OK + b"content-length:\r\n\r\na",
    "hex length": OK + b"content-length: 0x1\r\n\r\na",
    "huge length": OK + b"content-length: 99999999999999999999\r\n\r\na",
    "unknown coding": OK + b"transfer-encoding: gzip\r\n\r\n",
    "coding list": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "bare LF inside": OK + b"a: b\nc: d\r\ncontent-length: 0\r\n\r\n",
    "bare CR": OK + b"a: b\rc: d\r\ncontent-length: 0\r\n\r\n",
    "NUL in a value": OK + b"a: b\0\r\ncontent-length: 0\r\n\r\n",
    "control in a value": OK + b"a: b\x01\r\ncontent-length: 0\r\n\r\n",
    "space before colon": OK + b"content-length : 0\r\n\r\n",
    "no colon": OK + b"content-length\r\n\r\n",
    "no name": OK + b": x\r\n\r\n",
    "folded": OK + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "leading fold": OK + b" a: b\r\ncontent-length: 0\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 frame": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2 status": b"HTTP/2 200\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status 0xx": b"HTTP/1.1 099 OK\r\n\r\n",
    "two spaces": b"HTTP/1.1  200 OK\r\n\r\n",
    "leading empty line": b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
    "request": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "large head": OK + b"a: " + b"x" * 40_000 + b"\r\ncontent-length: 0\r\n\r\n",
    "endless head": OK + b"a: " + b"x" * 70_000,
}


@pytest.mark.parametrize("data", BAD_HEADS.values(), ids=BAD_HEADS.keys())
def test_a_bad_head_is_refused(data: bytes) -> None:
    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(data)
        peer.until_closed()

    with serving(handler) as server:
        client = connector()
        with pytest.raises(UpstreamProtocol):
            get(server, client)
        assert client.stats()[server.origin.key]["open"] == 0


@pytest.mark.parametrize(
    "rest", [b"a b", b"a: \0", b"a: b\n", b"a: b\r\n c: d", b"content-length: x\r\n\r\n"]
)
def test_a_head_that_turns_bad_is_refused_at_once(rest: bytes) -> None:
    """In pieces, and before its end if it can have no good one."""

    def handler(peer: Peer) -> None:
        assert peer.request()
        for piece in (OK, b"x: y\r\n", rest):
            peer.send(piece)
            time.sleep(0.02)
        peer.until_closed()

    with serving(handler) as server:
        client = connector()
        slow = Timers(connect=2, headers=20, first_byte=2, idle=2, total=30)
        begin = time.monotonic()
        with pytest.raises(UpstreamProtocol):
            client.request(server.origin, "GET", "/", [], None, slow)
        assert time.monotonic() - begin < 5
        assert client.stats()[server.origin.key]["open"] == 0


def test_a_head_that_trickles_in_is_read() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"A: b\r\ncontent-length: 2\r\n\r\nhi"

    def handler(peer: Peer) -> None:
        assert peer.request()
        for place in range(len(data)):
            peer.send(data[place : place + 1])
        peer.until_closed()

    with serving(handler) as server:
        client = connector()
        answer = get(server, client)
        assert answer.headers == [("a", "b"), ("content-length", "2")]
        assert answer.read_all(9) == b"hi"
        assert client.stats()[server.origin.key] == {"open": 1, "idle": 1, "waiting": 0}


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\na",
        OK + b"content-length: 1\r\ncontent-length: 1\r\n\r\na",
        OK + b"content-length: 1, 1\r\n\r\na",
        OK + b"transfer-encoding: Chunked\r\n\r\n1 \r\na\r\n0\r\nx-t: 1\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n0001;a=b;c=\"d\"\r\na\r\n000\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\na",
        OK + b"empty:\r\n\r\na",
    ],
)
def test_odd_but_sound_answers_are_read(data: bytes) -> None:
    with serving(saying(data)) as server:
        assert get(server).read_all(10) == b"a"


CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
BAD_CHUNKS = {
    "no size": b"\r\n",
    "not hex": b"g\r\na\r\n",
    "signed": b"+1\r\na\r\n",
    "prefix": b"0x1\r\na\r\n",
    "overflow": b"ffffffffffffffffff\r\na",
    "bare LF": b"1\na\r\n0\r\n\r\n",
    "too long": b"1\r\nab\r\n0\r\n\r\n",
    "no CRLF after data": b"1\r\na0\r\n\r\n",
    "other bytes after data": b"1\r\naxx0\r\n\r\n",
    "endless extension": b"1;" + b"x" * 5000,
    "NUL in extension": b"1;\0\r\na\r\n",
    "bad trailer": b"0\r\nbad trailer\r\n\r\n",
    "folded trailer": b"0\r\na: b\r\n c\r\n\r\n",
    "LF in trailers": b"0\r\na: b\n\r\n\r\n",
    "endless trailers": b"0\r\n" + b"a: b\r\n" * 8000,
}


@pytest.mark.parametrize("data", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "apart"])
def test_bad_chunks_are_refused(data: bytes, apart: bool) -> None:
    def handler(peer: Peer) -> None:
        assert peer.request()
        if apart:
            peer.send(CHUNKED)
            peer.server.gate.wait(5)  # type: ignore[attr-defined]
            peer.send(data)
        else:
            peer.send(CHUNKED + data)
        peer.until_closed()

    with serving(handler) as server:
        server.gate = threading.Event()  # type: ignore[attr-defined]
        client = connector()
        with pytest.raises(UpstreamProtocol):
            answer = get(server, client)
            server.gate.set()  # type: ignore[attr-defined]
            answer.read_all(100)
        assert client.stats()[server.origin.key]["open"] == 0


def test_a_body_larger_than_the_caller_allows() -> None:
    for head in (b"content-length: 3000\r\n", b"transfer-encoding: chunked\r\n", b""):
        chunk = b"bb8\r\n" if b"chunked" in head else b""
        with serving(saying(OK + head + b"\r\n" + chunk + b"x" * 3000)) as server:
            client = connector()
            with pytest.raises(UpstreamProtocol, match="too large"):
                get(server, client).read_all(2999)
            stats = client.stats()[server.origin.key]
            assert stats["open"] == stats["idle"]


def test_redirects_are_not_followed() -> None:
    data = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with serving(saying(data)) as server:
        answer = get(server)
        assert (answer.status, answer.header("location")) == (302, "http://127.0.0.1:1/")
        assert len(server.requests) == 1


def test_connections_are_reused_newest_first() -> None:
    with serving(echoing) as server:
        client = connector()
        slow = [get(server, client) for _ in range(1)]
        for answer in slow:
            answer.read_all(10)
        for _ in range(20):
            get(server, client).read_all(10)
        assert server.accepted == 1


@pytest.mark.parametrize("field", [b"connection: close\r\n", b"Connection: Keep-Alive, Close\r\n"])
def test_close_is_honoured(field: bytes) -> None:
    with serving(saying(OK + field + b"content-length: 1\r\n\r\na", close=False)) as server:
        client = connector()
        for _ in range(3):
            assert get(server, client).read_all(10) == b"a"
        assert server.accepted == 3


def test_http_1_0_is_kept_only_if_it_says_so() -> None:
    for field, accepted in ((b"", 3), (b"connection: keep-alive\r\n", 1)):
        data = b"HTTP/1.0 200 OK\r\n" + field + b"content-length: 1\r\n\r\na"
        with serving(saying(data, close=False)) as server:
            client = connector()
            for _ in range(3):
                assert get(server, client).read_all(10) == b"a"
            assert server.accepted == accepted


def test_bytes_after_the_answer_poison_the_connection() -> None:
    data = OK + b"content-length: 1\r\n\r\na"
    with serving(saying(data + OK + b"content-length: 4\r\n\r\nevil", close=False)) as server:
        client = connector()
        for _ in range(3):
            assert get(server, client).read_all(10) == b"a"
        assert server.accepted == 3


def test_unasked_bytes_on_an_idle_connection_are_never_an_answer() -> None:
    sent = threading.Event()

    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.answer(b"right")
        if peer.index == 0:
            peer.send(b"HTTP/1.1 408 Timeout\r\ncontent-length: 5\r\n\r\nwrong")
            sent.set()
            peer.until_closed()

    with serving(handler) as server:
        client = connector()
        assert get(server, client).read_all(10) == b"right"
        assert sent.wait(5)
        assert get(server, client).read_all(10) == b"right"


def test_a_stale_connection_is_replaced_once() -> None:
    def handler(peer: Peer) -> None:
        # Each connection serves one request, then closes at the second's arrival.
        while peer.request():
            if peer.number == 1:
                return
            peer.answer(b"a")

    with serving(handler) as server:
        client = connector()
        for _ in range(4):
            assert get(server, client).read_all(10) == b"a"
        assert server.accepted == 4
        with pytest.raises(UpstreamIncomplete):
            client.request(server.origin, "POST", "/", [], b"x", T)
        assert client.request(server.origin, "POST", "/", [], b"x", T).read_all(9) == b"a"
        again = client.request(server.origin, "POST", "/", [], b"x", T, replay=True)
        assert again.read_all(9) == b"a"
        assert client.stats()[server.origin.key]["open"] == 1


def test_a_reset_of_a_reused_connection_is_replaced_too() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.number == 1:
                peer.reset()
                return
            peer.answer(b"a")

    with serving(handler) as server:
        client = connector()
        for _ in range(3):
            assert get(server, client).read_all(10) == b"a"
        assert server.accepted == 3


def test_a_restarted_upstream_costs_no_request() -> None:
    with serving(echoing) as server:
        client = connector()
        answers = [get(server, client) for _ in range(5)]
        assert [a.read_all(10) for a in answers] == [b"GET / "] * 5
        server.drop_connections()
        # POST is never replayed: that these pass shows that closed connections are
        # seen before they are used.
        for _ in range(5):
            assert client.request(server.origin, "POST", "/", [], b"", T).read_all(9) == b"POST / "


def test_a_fresh_connection_that_closes_is_not_retried() -> None:
    def handler(peer: Peer) -> None:
        peer.request()

    with serving(handler) as server:
        with pytest.raises(UpstreamIncomplete):
            get(server)
        assert server.accepted == 1


def test_a_reset_before_and_within_the_answer() -> None:
    def handler(peer: Peer) -> None:
        assert peer.request()
        if peer.target == "/body":
            peer.send(OK + b"content-length: 10\r\n\r\nabc")
            assert peer.request()
        peer.reset()

    with serving(handler) as server:
        client = connector()
        with pytest.raises(UpstreamIncomplete):
            get(server, client)
        answer = client.request(server.origin, "GET", "/body", [], None, T)
        assert answer.read_some() == b"abc"
        assert answer._connection is not None
        answer._connection.sock.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(UpstreamIncomplete):
            answer.read_some()
        with pytest.raises(UpstreamIncomplete):
            answer.read_some()
        assert client.stats()[server.origin.key]["open"] == 0


@pytest.mark.parametrize("keeps_open", [True, False])
@pytest.mark.parametrize("pieces", [True, False])
def test_an_answer_before_the_body_is_read(keeps_open: bool, pieces: bool) -> None:
    def handler(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!")
        if keeps_open:
            assert peer.server.done.wait(5)  # type: ignore[attr-defined]

    with serving(handler) as server:
        server.done = threading.Event()  # type: ignore[attr-defined]
        client = connector()
        body = (b"x" * 100_000 for _ in range(200)) if pieces else b"x" * 20_000_000
        answer = client.request(server.origin, "POST", "/", [], body, T)
        assert (answer.status, answer.read_all(10)) == (413, b"no!")
        server.done.set()  # type: ignore[attr-defined]
        assert client.stats()[server.origin.key]["open"] == 0


def test_an_upstream_that_answers_while_it_reads() -> None:
    size = 6_000_000

    def handler(peer: Peer) -> None:
        data = peer.sock.recv(65536)
        body = data.partition(b"\r\n\r\n")[2]
        peer.send(OK + b"content-length: 600000\r\n\r\n" + b"y" * 300_000)
        got = len(body)
        while got < size:
            got += len(peer.sock.recv(1 << 20))
        peer.send(b"z" * 300_000)
        assert peer.request()
        peer.answer(b"next")

    with serving(handler) as server:
        client = connector()
        answer = client.request(server.origin, "POST", "/", [], b"x" * size, T)
        assert answer.read_all(1 << 20) == b"y" * 300_000 + b"z" * 300_000
        assert get(server, client).read_all(10) == b"next"
        assert server.accepted == 1


def test_an_unread_answer_is_closed_at_once() -> None:
    took: list[float] = []
    ended = threading.Semaphore(0)

    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(OK + b"content-length: 100\r\n\r\nabc")
        took.append(peer.until_closed())
        ended.release()

    with serving(handler) as server:
        client = connector()
        answer = get(server, client)
        assert answer.read_some() == b"abc"
        answer.close()
        answer.close()
        with pytest.raises(UpstreamIncomplete):
            answer.read_some()
        assert client.stats()[server.origin.key]["open"] == 0
        get(server, client)  # forgotten at once
        assert client.stats()[server.origin.key]["open"] == 0
        assert ended.acquire(timeout=10) and ended.acquire(timeout=10)
    assert max(took) < 1


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    with serving(echoing, unix=path) as server:
        client = connector()
        for _ in range(3):
            answer = client.request(server.origin, "GET", "/admin", [], None, T)
            assert answer.read_all(100) == b"GET /admin "
        assert server.accepted == 1
        assert b"host: localhost" in server.requests[0][0]
    with pytest.raises(UpstreamUnreachable):
        client.close()
        client.request(server.origin, "GET", "/", [], None, T)


@pytest.mark.parametrize(
    ("url", "key", "base"),
    [
        ("http://h", "http://h|80|", ""),
        ("http://H/", "http://h|80|", ""),
        ("https://api.example.com/v1/", "https://api.example.com|443|", "/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1|11434|", ""),
        ("http://[::1]:80/a/b", "http://::1|80|", "/a/b"),
        ("unix:/run/x.sock", "unix:///run/x.sock|0|", ""),
        ("http://b\xfccher.example", "http://xn--bcher-kva.example|80|", ""),
    ],
)
def test_origins(url: str, key: str, base: str) -> None:
    origin, path = Origin.parse(url)
    assert (origin.key, path) == (key, base)
    assert origin == Origin.parse(url)[0]
    assert hash(origin) == hash(Origin.parse(url)[0])
    assert origin != Origin.parse("http://other")[0]
    with pytest.raises(AttributeError):
        origin.host = "x"


def test_host_lines() -> None:
    assert Origin.parse("http://[::1]:8080")[0].host_line == "host: [::1]:8080\r\n"
    assert Origin.parse("https://h:443")[0].host_line == "host: h\r\n"
    assert Origin.parse("https://h:80")[0].host_line == "host: h:80\r\n"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://h:99999",
        "http://h:0",
        "http://h/?q",
        "http://h/#f",
        "http://h/a/../b",
        "http://h/a b",
        "http://h\r\nx",
        "http://h//a",
        "http://-h",
        "unix:relative",
        "unix:/" + "x" * 200,
    ],
)
def test_bad_origins(url: str) -> None:
    with pytest.raises(ConfigError):
        Origin.parse(url)


def test_errors_never_hold_the_upstream_s_bytes() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nsecret: s3cr3t\0\r\n\r\n")) as server:
        with pytest.raises(PihubError) as caught:
            get(server)
        assert "s3cr3t" not in caught.value.message + caught.value.detail


def test_pool_settings_follow_the_caller() -> None:
    with serving(echoing) as server:
        client = connector()
        for size in (1, 3):
            client.request(server.origin, "GET", "/", [], None, T, pool=Pool(size=size)).read_all(9)
        places = client._pools[server.origin.key]
        until = time.monotonic() + 5
        held = [
            places.take(time.monotonic(), PollWaiter(), until, -1)
            or client._dial(server.origin, places, until, -1)
            for _ in range(3)
        ]
        for connection in held:
            connection.release()
        assert client.stats()[server.origin.key]["open"] == 3
        client.request(server.origin, "GET", "/", [], None, T, pool=Pool(size=1)).read_all(9)
        assert client.stats()[server.origin.key]["open"] == 1
