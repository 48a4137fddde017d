"""TLS: who is trusted, what is refused, and that a cut is never an end."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import warnings
from pathlib import Path

import pytest

from pihub.errors import UpstreamIncomplete, UpstreamTimeout, UpstreamUnreachable
from pihub.settings.schema import Timers
from pihub.upstream.connector import Connector, Origin
from pihub.upstream.connector.tls import client_context
from tests.upstream.authority import Authority
from tests.upstream.raw_server import Peer, RawServer, echoing, serving
from tests.upstream.waiter import PollWaiter, TableResolver

T = Timers(connect=3, headers=3, first_byte=3, idle=3, total=10)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


def origin(server: RawServer, authority: Authority, host: str = "localhost") -> Origin:
    return Origin("https", host, server.port, authority.ca_file)


def connector() -> Connector:
    return Connector(PollWaiter(), TableResolver({"other": [(int(socket.AF_INET), "127.0.0.1")]}))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bodies_go_through_and_connections_are_kept(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.server("localhost")
    context.maximum_version = version
    with serving(echoing, tls=context) as server:
        client = connector()
        where = origin(server, authority)
        client.prepare(where)
        for size in (0, 1, 70_000, 2_000_000, 10):
            body = os.urandom(size)
            answer = client.request(where, "POST", "/", [], body, T)
            assert answer.read_all(1 << 22) == b"POST / " + body
        pieces = (b"p" * 50_000 for _ in range(40))
        answer = client.request(where, "POST", "/", [], pieces, T)
        assert answer.read_all(1 << 22) == b"POST / " + b"p" * 2_000_000
        assert server.accepted == 1


def test_numeric_hosts_and_the_offered_protocol(authority: Authority) -> None:
    context = authority.server("127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    def handler(peer: Peer) -> None:
        assert isinstance(peer.sock, ssl.SSLSocket)
        chosen.append(peer.sock.selected_alpn_protocol())
        echoing(peer)

    with serving(handler, tls=context) as server:
        answer = connector().request(
            origin(server, authority, "127.0.0.1"), "GET", "/", [], None, T
        )
        assert answer.read_all(9) == b"GET / "
    assert chosen == ["http/1.1"]


def refused(server: RawServer, where: Origin) -> UpstreamUnreachable:
    client = connector()
    with pytest.raises(UpstreamUnreachable) as caught:
        client.request(where, "POST", "/", [("authorization", "s3cr3t")], b"x", T)
    assert client.stats()[where.key]["open"] == 0
    assert server.requests == []
    return caught.value


def test_a_wrong_host_is_refused(authority: Authority) -> None:
    with serving(echoing, tls=authority.server("localhost")) as server:
        error = refused(server, origin(server, authority, "other"))
        assert "Hostname mismatch" in error.detail
        refused(server, origin(server, authority, "127.0.0.1"))


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    with serving(echoing, tls=authority.server("localhost", expired=True)) as server:
        assert "expired" in refused(server, origin(server, authority)).detail


def test_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    with serving(echoing, tls=stranger.server("localhost")) as server:
        refused(server, origin(server, authority))
        # The system's authorities do not know it either.
        refused(server, Origin("https", "localhost", server.port))


def test_no_version_before_1_2_is_offered() -> None:
    """Whatever OpenSSL's own settings on this machine forbid."""
    context = client_context("")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


def test_old_tls_is_refused(authority: Authority) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = authority.server("localhost", newest=ssl.TLSVersion.TLSv1_1)
    with serving(echoing, tls=context) as server:
        refused(server, origin(server, authority))


def test_a_server_without_tls_is_refused(authority: Authority) -> None:
    with serving(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        refused(server, origin(server, authority))


def test_a_server_that_closes_in_the_handshake(authority: Authority) -> None:
    with serving(lambda peer: peer.sock.recv(9) and None) as server:
        refused(server, origin(server, authority))


def test_an_unreadable_authority_file(tmp_path: Path) -> None:
    for text in (None, "no certificate"):
        path = tmp_path / f"{text}.pem"
        if text:
            path.write_text(text)
        with pytest.raises(UpstreamUnreachable):
            connector().prepare(Origin("https", "localhost", 443, str(path)))


def test_a_silent_handshake_ends_by_the_connect_timer(authority: Authority) -> None:
    with serving(lambda peer: peer.until_closed() and None) as server:
        begin = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            short = Timers(connect=0.3)
            connector().request(origin(server, authority), "GET", "/", [], None, short)
        assert caught.value.timer == "connect"
        assert time.monotonic() - begin < 1


@pytest.mark.parametrize("goodbye", [True, False])
def test_only_tls_s_own_goodbye_ends_an_unframed_body(
    authority: Authority, goodbye: bool
) -> None:
    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(OK + b"\r\nall of it")
        if goodbye:
            assert isinstance(peer.sock, ssl.SSLSocket)
            peer.sock.unwrap()

    with serving(handler, tls=authority.server("localhost")) as server:
        client = connector()
        answer = client.request(origin(server, authority), "GET", "/", [], None, T)
        if goodbye:
            assert answer.read_all(100) == b"all of it"
        else:
            with pytest.raises(UpstreamIncomplete):
                answer.read_all(100)
        assert client.stats()[origin(server, authority).key]["open"] == 0


def test_a_stale_connection_is_seen_before_use(authority: Authority) -> None:
    with serving(echoing, tls=authority.server("localhost")) as server:
        client = connector()
        where = origin(server, authority)
        client.request(where, "GET", "/", [], None, T).read_all(9)
        server.drop_connections()
        assert client.request(where, "POST", "/", [], b"", T).read_all(9) == b"POST / "


def test_an_answer_before_the_body_is_read(authority: Authority) -> None:
    done = threading.Event()

    def handler(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!")
        assert done.wait(5)

    with serving(handler, tls=authority.server("localhost")) as server:
        answer = connector().request(
            origin(server, authority), "POST", "/", [], b"x" * 20_000_000, T
        )
        assert (answer.status, answer.read_all(10)) == (413, b"no!")
        done.set()
