"""Who a client is behind a trusted proxy: what the proxy adds, whatever stood before it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest

from tests.system.hub import HubProcess, Upstreams

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
COUNT = itertools.count(1)
"""Nobody fails so often that a lock answers instead."""


@pytest.fixture(scope="module")
def behind(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp(f"behind-{engine}")
    extra = f'\n[access]\ntrusted_proxies = ["{PROXY}"]\n'
    with HubProcess(folder, upstreams, engine=engine, extra=extra, workers=1) as hub:
        body = {"subject": "ann", "role": "owner", "password": "a long sentence of words"}
        assert hub.admin("POST", "/users", body).status == 201
        yield hub


def source(hub: HubProcess, peer: str, *lines: str) -> str:
    """Of a failed login with these header lines, as the audit log tells it; or `refused`."""
    head = "".join(f"{line}\r\n" for line in lines)
    name = f"made-up-{next(COUNT)}"
    form = f"user={name}&password=wrong&code="
    data = (
        f"POST /dashboard/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
        f"{form}"
    )
    answer = b""
    with socket.create_connection(("127.0.0.1", hub.port), 15, (peer, 0)) as sock:
        sock.sendall(data.encode())
        while piece := sock.recv(65536):
            answer += piece
    if answer.startswith(b"HTTP/1.1 400 "):
        return "refused"
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]
    row = hub.admin("GET", "/audit?limit=1").json["items"][0]
    assert (row["action"], row["actor"]) == ("login", f"nobody:{name}")
    return str(row["source"])


@pytest.mark.parametrize(
    "before",
    [
        (),
        ("X-Forwarded-For: 127.0.0.1",),
        ("X-Forwarded-For: 198.51.100.66",),
        ("X-Forwarded-For: made up, 127.0.0.1, 198.51.100.66",),
        ("X_Forwarded_For: 127.0.0.1",),
        ("X-Pihub-Told-For: 127.0.0.1", "X-Pihub-Forwarded: 127.0.0.1"),
        ("X_Pihub_Told_For: 127.0.0.1",),
        ("Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1"),
    ],
    ids=lambda lines: lines[0] if lines else "nothing",
)
def test_what_a_client_wrote_before_is_not_believed(
    behind: HubProcess, before: tuple[str, ...]
) -> None:
    client = f"203.0.113.{next(COUNT)}"
    told = f"X-Forwarded-For: {client}"
    assert source(behind, PROXY, *before, told) in (client, "refused")
    if not any(line.startswith("X-Forwarded-For") for line in before):
        assert source(behind, PROXY, told, *before) in (client, "refused")


def test_who_is_no_proxy_tells_nothing(behind: HubProcess) -> None:
    for told in ("203.0.113.250", "127.0.0.1"):
        assert source(behind, STRANGER, f"X-Forwarded-For: {told}") == STRANGER
    assert source(behind, PROXY) == PROXY
