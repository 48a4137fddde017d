"""What the ported server makes of an application's answer (PEP 3333, RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.isolated.meinheld_harness import Answer, App, Cut, Reader, get, until


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with App() as running:
        yield running
        assert running.stop() == 0


def both(app: App, path: str, method: str = "GET") -> tuple[Answer, bool]:
    """The answer, and whether the connection stays in step for another request."""
    with app.connect() as sock:
        reader = Reader(sock)
        sock.sendall(get(path, method=method))
        answer = reader.answer(method)
        if answer.headers.get("connection") == "close":
            assert reader.at_end()
            return answer, False
        sock.sendall(get("/id?id=next", close=True))
        assert reader.answer().body == b"id=next"
        return answer, True


def test_one_item_has_its_length(app: App) -> None:
    answer, kept = both(app, "/")
    assert (answer.body, kept) == (b"hello\n", True)
    assert answer.headers["content-length"] == "6"


def test_empty_items_do_not_end_a_chunked_body(app: App) -> None:
    answer, kept = both(app, "/empty-items")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert (answer.body, kept) == (b"ab", True)


def test_an_empty_iterable_is_an_empty_body(app: App) -> None:
    answer, kept = both(app, "/nothing")
    assert (answer.headers["content-length"], answer.body, kept) == ("0", b"", True)


def test_a_body_never_exceeds_its_length(app: App) -> None:
    answer, kept = both(app, "/too-much")
    assert (answer.body, kept) == (b"abc", True)


def test_a_body_short_of_its_length_is_cut(app: App) -> None:
    with app.connect() as sock:
        sock.sendall(get("/too-little"))
        with pytest.raises(Cut):
            Reader(sock).answer()
    until(lambda: "ended 6 bytes before its Content-Length" in app.errors())


def test_no_body_where_none_may_be(app: App) -> None:
    answer, kept = both(app, "/no-content")
    assert (answer.status, kept) == (204, True)
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/big?mb=1", "/stream?n=3", "/nothing", "/fail"])
def test_head_gets_no_body(app: App, path: str) -> None:
    answer, _ = both(app, path, "HEAD")
    assert answer.status == (500 if path == "/fail" else 200)
    assert answer.body == b""


def test_hop_by_hop_headers_of_the_application_are_dropped(app: App) -> None:
    answer, kept = both(app, "/hop")
    assert answer.headers["server"] == "pihub"
    assert not {"transfer-encoding", "keep-alive"} & answer.headers.keys()
    assert (answer.body, kept) == (b"x", True)


def test_the_application_may_close(app: App) -> None:
    answer, kept = both(app, "/close")
    assert (answer.body, kept) == (b"bye", False)


def test_write(app: App) -> None:
    answer, kept = both(app, "/write")
    assert (answer.body, kept) == (b"one two three", True)


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/fail", "RuntimeError: early"),
        ("/split", "ValueError: invalid character in a response header"),
        ("/wide", "ValueError: a header value must be Latin-1"),
        ("/twice", "RuntimeError: start_response was called before"),
        ("/silent", "RuntimeError: the application did not call start_response"),
        ("/str-item", "TypeError: a response item must be bytes, not str"),
    ],
)
def test_a_broken_application_is_a_500(app: App, path: str, logged: str) -> None:
    answer, kept = both(app, path)
    assert (answer.status, kept) == (500, False)
    assert answer.body == b"500 Internal Server Error\n"
    assert "x-injected" not in answer.headers
    until(lambda: logged in app.errors())


@pytest.mark.parametrize("path", ["/late", "/late-length"])
def test_a_late_failure_never_looks_whole(app: App, path: str) -> None:
    closed = int(app.ask("/closed-count").body)
    with app.connect() as sock:
        sock.sendall(get(path))
        with pytest.raises(Cut):
            Reader(sock).answer()
    assert int(app.ask("/closed-count").body) == closed + 1, "close() must be called"


def test_a_late_failure_of_http10_is_a_reset(app: App) -> None:
    # The end of the connection would pass for the end of the body.
    with app.connect() as sock:
        sock.sendall(b"GET /late HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while sock.recv(1000):
                pass


def test_http10_body_ends_with_the_connection(app: App) -> None:
    with app.connect() as sock:
        sock.sendall(b"GET /stream?n=3&id=a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = Reader(sock).answer()
        assert answer.version == "HTTP/1.0"
        assert answer.headers["connection"] == "close"
        assert answer.body == b"a:0;a:1;a:2;"


def test_http10_keep_alive(app: App) -> None:
    with app.connect() as sock:
        reader = Reader(sock)
        for _ in range(3):
            sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = reader.answer()
            assert answer.headers["connection"] == "keep-alive"
            assert answer.body == b"hello\n"


def test_nothing_of_a_request_outlives_it(app: App) -> None:
    assert int(app.ask("/keep").body) > 2
    assert app.ask("/kept").body == b"-1 the request is over"


def test_spawned_greenlets_belong_to_the_hub(app: App) -> None:
    assert app.ask("/spawn").body == b"spawned"


def test_one_waiter_for_a_descriptor_and_hang_ups_wake_it(app: App) -> None:
    assert app.ask("/same-fd").body == b"refused first"


def test_expect_continue_comes_before_the_body(app: App) -> None:
    with app.connect() as sock:
        sock.sendall(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert Reader(sock).answer().body == b"hello"


def test_bodies_in_memory_and_in_a_file_are_the_same(app: App) -> None:
    body = bytes(range(256)) * 8192  # 2 MiB: above the 512 KiB kept in memory
    for size in (1, 4096, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1, len(body)):
        part = body[:size]
        head = f"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n".encode()
        chunked = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = [part[i : i + 50_000] for i in range(0, size, 50_000)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        with app.connect() as sock:
            reader = Reader(sock)
            sock.sendall(head + part)
            assert reader.answer().body == part
            sock.sendall(chunked + chunks + b"0\r\n\r\n")
            assert reader.answer().body == part
