"""Every limit on what a client may send and hold, on real sockets, under both engines."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.hub import HubProcess, Upstreams

SMALL = {
    "BODY": "64KB", "HEADER": "4KB", "JSON_DEPTH": "10", "JSON_VALUES": "500",
    "HEAD_SECONDS": "1", "BODY_SECONDS": "1", "STREAMS_PER_KEY": "2",
    "CONNECTIONS_PER_SOURCE": "12",
}  # fmt: skip
CHAT = "/v1/chat/completions"
API = '\n[apis.echo]\nprefix = "/apis/echo"\nurl = "{url}"\n'


@pytest.fixture(scope="module")
def small(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp(f"small-{engine}")
    env = {f"PIHUB_LIMITS__{name}": value for name, value in SMALL.items()}
    extra = API.format(url=upstreams.ollama)
    with HubProcess(folder, upstreams, engine=engine, workers=1, env=env, extra=extra) as hub:
        yield hub


def chat(text: str = "hi", **more: object) -> dict[str, object]:
    return {"model": "local", "messages": [{"role": "user", "content": text}], **more}


def raw(hub: HubProcess, data: bytes, source: str = "127.0.0.1") -> bytes:
    """What comes back for these bytes, until the hub closes."""
    with connect(hub, source) as sock:
        sock.sendall(data)
        return rest(sock)


def connect(hub: HubProcess, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", hub.port), 15, source_address=(source, 0))


def rest(sock: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return found
        if not data:
            return found
        found += data


def test_all_fields_together_have_a_limit(small: HubProcess) -> None:
    assert small.get("/healthz", x_filler="a" * 3000).status == 200
    assert small.get("/healthz", x_filler="a" * 5000).status == 431
    many = {f"x_{n}": "b" * 200 for n in range(30)}
    assert small.get("/healthz", **many).status == 431
    answer = raw(small, b"GET /healthz HTTP/1.1\r\nHost: t\r\nX-A: " + b"a" * 5000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_the_name_of_a_chat_has_a_limit(small: HubProcess) -> None:
    for name, status in (("n" * 255, 200), ("n" * 256, 400)):
        answer = small.post("/v1/chat/completions", chat(), idempotency_key=name)
        assert answer.status == status, answer.text


def test_a_body_has_a_limit_with_and_without_a_length(small: HubProcess) -> None:
    fits = chat("a" * 60_000)
    assert small.post(CHAT, fits).status == 200
    for path in (CHAT, "/apis/echo/api/chat"):
        refused = small.post(path, chat("a" * 70_000))
        assert refused.status == 413, (path, refused.text)
        assert "limits.body" in refused.text or path != CHAT
    pieces = b"".join(b"8000\r\n" + b"a" * 32768 + b"\r\n" for _ in range(4)) + b"0\r\n\r\n"
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {small.key}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    assert raw(small, head.encode() + pieces).startswith(b"HTTP/1.1 413 ")


def test_a_coded_body_is_undone_and_measured_after_it(small: HubProcess) -> None:
    plain = json.dumps(chat("in a coded body")).encode()
    squeezed = zlib.compressobj(wbits=-15)
    for coding, data in (
        ("gzip", gzip.compress(plain)),
        ("deflate", zlib.compress(plain)),
        ("deflate", squeezed.compress(plain) + squeezed.flush()),
        ("identity", plain),
    ):
        answer = small.post(CHAT, data, content_encoding=coding)
        assert answer.status == 200, (coding, answer.text)
    bomb = gzip.compress(json.dumps(chat("a" * 10_000_000)).encode())
    assert len(bomb) < 64 * 1024
    began = time.monotonic()
    refused = small.post(CHAT, bomb, content_encoding="gzip")
    assert (refused.status, refused.json["error"]["code"]) == (413, "request_too_large")
    assert time.monotonic() - began < 2
    assert small.post(CHAT, plain, content_encoding="br").status == 415
    assert small.post(CHAT, plain, content_encoding="gzip, gzip").status == 415
    assert small.post(CHAT, plain, content_encoding="gzip").status == 400
    assert small.post(CHAT, gzip.compress(plain)[:-9], content_encoding="gzip").status == 400
    assert small.post(CHAT, gzip.compress(plain) * 2, content_encoding="gzip").status == 400
    for path in ("/v1/messages", "/api/chat", "/v1/embeddings", "/v1/responses"):
        assert small.post(path, bomb, content_encoding="gzip").status == 413, path


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/api/chat", "/v1/embeddings"])
def test_json_has_a_depth_and_a_number_of_values(small: HubProcess, path: str) -> None:
    deep = small.post(path, chat(metadata=json.loads("[" * 12 + "]" * 12)))
    assert (deep.status, "limits.json_depth" in deep.text) == (400, True)
    wide = small.post(path, chat(metadata=[[] for _ in range(600)]))
    assert (wide.status, "limits.json_values" in wide.text) == (413, True)


def dribbled(sock: socket.socket, piece: bytes) -> bytes:
    """Send `piece` five times a second until something comes back, at most 10 s."""
    end = time.monotonic() + 10
    sock.settimeout(0.2)
    while time.monotonic() < end:
        try:
            sock.sendall(piece)
            return sock.recv(4096)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return b""
    raise AssertionError("the hub waits for ever")


def test_who_dribbles_is_answered_408(small: HubProcess) -> None:
    with connect(small) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n")
        assert dribbled(sock, b"X-A: b\r\n").startswith(b"HTTP/1.1 408 ")
    with connect(small) as sock:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {small.key}\r\n"
        sock.sendall(head.encode() + b"Content-Length: 60000\r\n\r\n")
        assert dribbled(sock, b"x").startswith(b"HTTP/1.1 408 ")
    assert small.get("/healthz").status == 200


def test_the_silent_and_the_slow_keep_nobody_waiting(small: HubProcess) -> None:
    with ExitStack() as stack:
        for n in range(60):
            sock = stack.enter_context(connect(small, f"127.0.0.{n // 10 + 2}"))
            if n % 2:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n")
        began = time.monotonic()
        assert small.get("/healthz").status == 200
        # gthread has a thread for each of the 30 half heads; they have a second.
        assert time.monotonic() - began < 3


def test_a_source_has_so_many_connections(small: HubProcess) -> None:
    with ExitStack() as stack:
        mine = [stack.enter_context(connect(small, "127.0.0.9")) for _ in range(12)]
        for sock in mine[1:]:
            sock.sendall(b"G")  # the kernel shows meinheld no silent connection
        mine[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")
        assert mine[0].recv(4096).startswith(b"HTTP/1.1 200 ")
        assert raw(small, b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n", "127.0.0.9") == b""
        assert small.get("/healthz").status == 200, "others are served"
        for sock in mine:
            sock.close()
    end = time.monotonic() + 5
    closing = b"GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    while not (answer := raw(small, closing, "127.0.0.9")) and time.monotonic() < end:
        pass
    assert answer.startswith(b"HTTP/1.1 200 "), "places come free"
    assert "limits.connections_per_source" in small.log


def test_a_key_has_so_many_streams(small: HubProcess, upstreams: Upstreams) -> None:
    upstreams.pace(5.0)
    try:
        with ExitStack() as stack:
            held = []
            for n in range(2):
                sock = stack.enter_context(connect(small))
                body = json.dumps(chat(f"a long story, number {n}", stream=True)).encode()
                sock.sendall(
                    f"POST {CHAT} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {small.key}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode() + body
                )
                held.append(sock)
                assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            refused = small.post(CHAT, chat("a third story", stream=True))
            assert refused.status == 429, refused.text
            assert "limits.streams_per_key" in refused.text
            assert refused.headers["retry-after"] == "1"
            upstreams.pace(1000.0)
            assert small.post(CHAT, chat("not streamed")).status == 200
        end = time.monotonic() + 10
        while (again := small.post(CHAT, chat("a fourth", stream=True))).status == 429:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert again.status == 200
    finally:
        upstreams.pace(1000.0)
