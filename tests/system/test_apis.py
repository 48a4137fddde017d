"""Generic APIs through the whole hub: a real origin behind [apis.NAME]."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.hub import HubProcess, Upstreams

EXTRA = """
[apis.shop]
prefix = "/apis/shop"
url = "http://127.0.0.1:{port}/base"
[apis.shop.cache]
stale_if_error = 60

[apis.open]
prefix = "/open"
url = "http://127.0.0.1:{port}"
auth = false
methods = ["GET"]
requests_per_minute = 60
burst = 5
"""


class Origin(http.server.BaseHTTPRequestHandler):
    """Echoes what it got; /cached is fresh for a minute, /fail is a 500."""

    protocol_version = "HTTP/1.1"
    calls: list[tuple[str, str, dict[str, str], bytes]]
    broken = False

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        type(self).calls.append(
            (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        )
        if type(self).broken:
            self.send_response(500)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        out = json.dumps({"path": self.path, "n": len(type(self).calls), "got": len(body)})
        self.send_response(200)
        if "cached" in self.path:
            self.send_header("cache-control", "max-age=1, stale-if-error=60")
            self.send_header("etag", '"v1"')
        self.send_header("content-type", "application/json")
        self.send_header("connection", "keep-alive, x-hop")
        self.send_header("x-hop", "secret of this hop")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(out.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_any  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[http.server.ThreadingHTTPServer]:
    Origin.calls = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def shop(
    engine: str,
    upstreams: Upstreams,
    origin: http.server.ThreadingHTTPServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp(f"apis-{engine}")
    extra = EXTRA.format(port=origin.server_address[1])
    with HubProcess(folder, upstreams, engine=engine, extra=extra) as hub:
        yield hub


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_any_method_and_path(shop: HubProcess, method: str) -> None:
    body = b"x" * 1000 if method in ("POST", "PUT", "PATCH") else None
    reply = shop.request(method, "/apis/shop/a%2Fb/c?q=1&q=%20", body)
    assert reply.status == 200, reply.text
    sent, path, headers, got = Origin.calls[-1]
    assert (sent, path) == (method, "/base/a%2Fb/c?q=1&q=%20")
    assert got == (body or b"")
    assert "authorization" not in headers, "the hub's key went upstream"
    assert "x-hop" not in reply.headers
    assert reply.headers["x-pihub-request-id"]
    assert reply.body == b"" if method == "HEAD" else reply.json["got"] == len(got)


def test_large_bodies_pass_both_ways(shop: HubProcess) -> None:
    kind = "application/octet-stream"  # which the scanner does not judge
    reply = shop.request("POST", "/apis/shop/big", b"y" * 3_000_000, content_type=kind)
    assert reply.json["got"] == 3_000_000
    judged = shop.request("POST", "/apis/shop/big", b"y" * 3_000_000)
    assert (judged.status, judged.json["code"]) == (413, "request_too_large")


def test_chunked_uploads_arrive_whole(shop: HubProcess) -> None:
    with socket.create_connection(("127.0.0.1", shop.port)) as sock:
        sock.sendall(
            b"POST /apis/shop/chunked HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
            + shop.key.encode()
            + b"\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        for _ in range(10):
            sock.sendall(b"3e8\r\n" + b"z" * 1000 + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
        raw = b"".join(iter(lambda: sock.recv(65536), b""))
    assert raw.startswith(b"HTTP/1.1 200"), raw[:200]
    assert b'"got": 10000' in raw


def test_fresh_answers_come_from_the_cache_of_all_workers(shop: HubProcess) -> None:
    first = shop.get("/apis/shop/cached/a")
    assert first.headers["x-pihub-cache"].startswith("MISS")
    replies = [shop.get("/apis/shop/cached/a") for _ in range(6)]
    states = {reply.headers["x-pihub-cache"].split(";")[0] for reply in replies}
    assert "HIT" in states and "BYPASS" not in states


def test_stale_answers_stand_in_for_a_broken_origin(shop: HubProcess) -> None:
    fresh = shop.get("/apis/shop/cached/b")
    end = time.monotonic() + 5
    try:
        Origin.broken = True
        while time.monotonic() < end:
            reply = shop.get("/apis/shop/cached/b")
            assert reply.status == 200
            if reply.headers["x-pihub-cache"].startswith("STALE"):
                assert reply.body == fresh.body
                return
            time.sleep(0.1)
    finally:
        Origin.broken = False
    raise AssertionError("the answer never went stale")


def test_keys_and_limits(shop: HubProcess) -> None:
    assert shop.get("/apis/shop/x", authorization="").status == 401
    assert shop.get("/open/x", authorization="").status == 200
    assert shop.request("POST", "/open/x", b"").status == 405
    statuses = [shop.get(f"/open/{i}", authorization="").status for i in range(20)]
    assert 429 in statuses and statuses.count(200) <= 12


def test_paths_cannot_climb_above_the_base(shop: HubProcess) -> None:
    before = len(Origin.calls)
    for path in ("/apis/shop/../x", "/apis/shop/%2e%2e/x", "/apis/shop/a/../../../x"):
        assert shop.get(path).status in (400, 404), path
    assert shop.get("/apis/shop/%c0%ae%c0%ae/x").json["code"] == "input_refused"
    assert all(path.startswith("/base") for _, path, _, _ in Origin.calls[before:])


def test_requests_of_apis_are_recorded(shop: HubProcess) -> None:
    rid = shop.get("/apis/shop/recorded").headers["x-pihub-request-id"]
    end = time.monotonic() + 10
    while time.monotonic() < end:
        reply = shop.get("/admin/api/v1/requests?limit=50")
        assert reply.status == 200, reply.text
        rows = reply.json["items"]
        found = [row for row in rows if row["request_id"] == rid]
        if found:
            assert found[0]["route"] == "api" and found[0]["status"] == 200
            return
        time.sleep(0.1)
    raise AssertionError("the request is not in the database")
