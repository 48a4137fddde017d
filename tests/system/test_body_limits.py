"""Every route that may be sent a body refuses one that is too large, on real sockets under both
engines. The routes come from the maps themselves: a new one is asked, too."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.http.control.forms import MAX_BODY as OPERATION_BYTES
from pihub.http.control.gate import MAX_FORM
from pihub.http.control.table import OPERATIONS
from pihub.http.data.control import MAX_BODY as CONTROL_BYTES
from pihub.http.data.manage import PATHS as MANAGED
from pihub.http.data.routes import FIXED, SINKS
from pihub.security.permissions import PERMISSIONS
from tests.system.hub import HubProcess, Upstreams

BODY = 64 * 1024
EXTRA = """
[apis.echo]
prefix = "/apis/echo"
url = "{url}"

[apis.open]
prefix = "/apis/open"
url = "{url}"
auth = false

[webhooks.sender]
kind = "github"
secret_env = "TEST_HOOK_SECRET"
max_body = "16KB"

[ollama]
manage = "ollama"
manage_keys = [1]
"""
SIZES = {
    "/admin": CONTROL_BYTES, "/dashboard": CONTROL_BYTES, "/webhooks": 16 * 1024,
}  # fmt: skip
"""Of what has a limit of its own; all others: limits.body."""
FREE = {"/api/blobs"}
"""A model's file has any size: it is passed on in pieces, for the keys of `ollama.manage_keys`."""


@pytest.fixture(scope="module")
def small(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp(f"bodies-{engine}")
    env = {"PIHUB_LIMITS__BODY": "64KB", "TEST_HOOK_SECRET": "the-sender-s-secret"}
    extra = EXTRA.format(url=upstreams.ollama)
    with HubProcess(folder, upstreams, engine=engine, workers=1, env=env, extra=extra) as hub:
        end = time.monotonic() + 60
        while hub.get("/v1/jobs").status == 503:  # the control process begins
            assert time.monotonic() < end, hub.log
            time.sleep(0.1)
        yield hub


def routes() -> list[tuple[str, str, int]]:
    """(method, path, bytes that fit) of everything on the data plane."""
    found = [(method, re.sub(r"\{[^}]*\}", "x", path), BODY) for method, path, _ in FIXED]
    for prefix, _ in SINKS:
        path = {"/webhooks": "/webhooks/sender", "/admin": "/admin/api/v1/keys"}.get(prefix, prefix)
        if prefix not in FREE:
            found.append(("POST", path, SIZES.get(prefix, BODY)))
    return [*found, ("POST", "/apis/echo/x", BODY), ("PUT", "/apis/open/x", BODY)]


def statuses(hub: HubProcess, method: str, path: str, size: int, *, chunked: bool) -> list[int]:
    """What is answered to a body of so many bytes, all on one connection."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {hub.key}\r\n"
        "Content-Type: application/json\r\nX-Github-Event: push\r\nConnection: close\r\n"
    )
    body = b'{"a": "' + b"a" * (size - 9) + b'"}'
    if chunked:
        pieces = [body[at : at + 8192] for at in range(0, size, 8192)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
    else:
        head += f"Content-Length: {size}\r\n\r\n"
    found = b""
    with socket.create_connection(("127.0.0.1", hub.port), 20) as sock:
        try:
            sock.sendall(head.encode() + body)
        except OSError:  # it need not be read to its end to be refused
            pass
        try:
            while piece := sock.recv(65536):
                found += piece
        except ConnectionResetError:
            pass
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_every_route_has_a_limit(small: HubProcess, chunked: bool) -> None:
    for method, path, most in routes():
        told = statuses(small, method, path, most + 4096, chunked=chunked)
        if method in ("GET", "HEAD", "DELETE"):
            # Nothing there reads a body; it is refused or left where it is, and never another's.
            assert len(told) <= 1 and not any(one >= 500 for one in told), (method, path, told)
        else:
            assert told == [413], (method, path, told)


def test_what_fits_is_judged_by_other_things(small: HubProcess) -> None:
    for method, path, most in routes():
        told = statuses(small, method, path, most - 4096, chunked=False)
        assert 413 not in told, (method, path, told)


def test_managing_models_is_for_the_keys_that_may(small: HubProcess) -> None:
    assert {path for path, what in SINKS if what == "ollama_manage"} == set(MANAGED)
    other = small.create_key("other")
    for path in MANAGED:
        assert small.post(path, {"model": "x"}, authorization=f"Bearer {other}").status == 403


def test_every_operation_has_a_limit(small: HubProcess) -> None:
    """The admin API's own, for whoever may use it: asked with a key over TCP."""
    scope = {"admin": sorted(PERMISSIONS)}
    token = small.admin("POST", "/keys", {"name": "all", "scope": scope}).json["token"]
    large = json.dumps({"a": "a" * OPERATION_BYTES}).encode()
    asked = 0
    for one in OPERATIONS:
        if one.method == "GET":
            continue
        path = re.sub(r"\{[^}]*\}", "1", one.shown_path)
        answer = small.request(one.method, path, large, authorization=f"Bearer {token}")
        assert answer.status == (413 if one.permission != "self" else answer.status), (
            one.id, answer.text,
        )  # fmt: skip
        assert answer.status in (413, 403), (one.id, answer.text)
        asked += 1
    assert asked > 30


def test_every_form_has_a_limit(small: HubProcess) -> None:
    form = "application/x-www-form-urlencoded"
    large, many = b"user=" + b"a" * MAX_FORM, b"&".join(b"f%d=1" % n for n in range(300))
    paths = ("/dashboard/login", "/dashboard/setup/x", "/dashboard/account", "/dashboard/welcome")
    for path in (*paths, "/dashboard/logout"):
        assert small.request("POST", path, large, content_type=form).status == 413, path
        assert small.request("POST", path, many, content_type=form).status == 400, path
