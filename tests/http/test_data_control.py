"""The way to the control process: who may take it, what passes, what if it is down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.http.data.control import MAX_BODY, ControlProxy
from pihub.upstream.connector import Connector
from tests.http.data_parts import Plane, environ, read
from tests.upstream.raw_server import Peer, RawServer, serving
from tests.upstream.waiter import PollWaiter, TableResolver


def answering(peer: Peer) -> None:
    while peer.request():
        peer.answer(
            b"page",
            headers="connection: keep-alive\nkeep-alive: timeout=5\n"
            "content-type: text/html\nset-cookie: a=1\nset-cookie: b=2\netag: x",
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    with serving(answering, unix=str(tmp_path / "c.sock")) as running:
        yield running


def plane(path: Path) -> Plane:
    waiter = PollWaiter()
    connector = Connector(waiter, TableResolver())
    return Plane(ControlProxy(connector, str(path / "c.sock"), waiter, lambda: False))


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:10.0.0.1", "unknown"])
def test_the_control_process_is_told_who_asks(
    server: RawServer, tmp_path: Path, address: str
) -> None:
    plane(tmp_path).call("GET", "/dashboard", address=address, x_pihub_forwarded="127.0.0.1")
    head = server.requests[0][0].decode().lower()
    assert head.count("x-pihub-forwarded") == 1
    assert f"x-pihub-forwarded: {address}" in head


def test_what_passes_and_what_stays(server: RawServer, tmp_path: Path) -> None:
    said = plane(tmp_path).call(
        "POST", "/admin/a%2Fb%3Fc?q=%20&r", b"body", host="hub.example:8443", cookie="s=1",
        x_pihub_forwarded="198.51.100.1", x_api_key="ph_secret", connection="close",
        content_type="application/json",
    )  # fmt: skip
    assert (said.status, said.body) == (200, b"page")
    names = [name.lower() for name, _ in said.headers]
    assert names.count("set-cookie") == 2 and "etag" in names
    assert "connection" not in names and "keep-alive" not in names
    ((head, body),) = server.requests
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /admin/a%2Fb%3Fc?q=%20&r HTTP/1.1" and body == b"body"
    assert "host: hub.example:8443" in lines and "cookie: s=1" in lines
    assert "x-pihub-forwarded: 127.0.0.1" in lines
    assert "x-pihub-request-id: 00000000000000ab" in lines
    assert "x-api-key: ph_secret" in lines and b"198.51" not in head


def test_a_unix_peer_is_told_as_local(server: RawServer, tmp_path: Path) -> None:
    plane(tmp_path).call("GET", "/dashboard", address="")
    assert b"x-pihub-forwarded: local" in server.requests[0][0]


def test_a_body_is_never_cut(server: RawServer, tmp_path: Path) -> None:
    said = plane(tmp_path).call("POST", "/admin/x", b"x" * (MAX_BODY + 1))
    assert said.status == 413
    short = environ("POST", "/admin/x", b"half", content_length="9")
    assert read(plane(tmp_path).app, short).status == 499
    assert not server.requests


def test_control_is_down(tmp_path: Path) -> None:
    said = plane(tmp_path).call("GET", "/dashboard")
    assert said.status == 503 and said.header("retry-after") == "1"
    assert json.loads(said.body)["code"] == "control_unavailable"
    assert str(tmp_path).encode() not in said.body


def test_a_reader_that_stops_gives_the_connection_back(tmp_path: Path) -> None:
    waited = []

    def endless(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        waited.append(peer.until_closed())

    with serving(endless, unix=str(tmp_path / "c.sock")):
        waiter = PollWaiter()
        connector = Connector(waiter, TableResolver())
        app = Plane(ControlProxy(connector, str(tmp_path / "c.sock"), waiter, lambda: False)).app
        body = app(environ("GET", "/dashboard/feed"), lambda *_: None)
        assert next(iter(body)) == b"x"
        body.close()  # type: ignore[attr-defined]
        assert all(stats["open"] == 0 for stats in connector.stats().values())
