"""Webhooks through the whole hub, under both engines."""

from __future__ import annotations

import concurrent.futures
import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hookparts import CONFIG, ENV, SECRET, event, post, signed
from tests.system.hub import HubProcess, Upstreams


@pytest.fixture(scope="module")
def hooked(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp(f"hooks-{engine}")
    with HubProcess(folder, upstreams, engine=engine, extra=CONFIG, env=ENV) as running:
        yield running


def test_events_are_on_the_disk_before_the_answer(hooked: HubProcess) -> None:
    status, body = post(hooked.port, [event(n, 1) for n in range(100)])
    assert (status, json.loads(body)["accepted"]) == (200, 100)
    import apsw

    connection = apsw.Connection(str(hooked.folder / "hooks.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute("SELECT count(*) FROM events WHERE object = '7/contact/1'")
    assert rows.get == 100
    connection.close()


def test_a_second_is_enough_under_load(hooked: HubProcess) -> None:
    def one(n: int) -> float:
        start = time.monotonic()
        status, _ = post(hooked.port, [event(n, n)])
        assert status == 200
        return time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        times = sorted(pool.map(one, range(1000, 1200)))
    assert times[len(times) // 2] < 1.0


def test_who_is_not_the_sender_is_refused(hooked: HubProcess) -> None:
    body = json.dumps([event(1, 2)]).encode()
    good = signed(body)
    for fields, data, code in (
        ({}, body, "missing_signature"),
        (good, body + b" ", "invalid_signature"),
        ({**good, "x-hubspot-request-timestamp": "1700000000000"}, body, "stale_signature"),
    ):
        reply = hooked.request("POST", "/webhooks/hubspot", data, **fields)
        assert reply.status == 401, reply.body
        assert reply.json["code"] == code
        assert SECRET not in reply.text
    assert hooked.request("POST", "/webhooks/nobody", body, **good).status == 404
    assert hooked.request("GET", "/webhooks/hubspot").status == 405
    large = hooked.request("POST", "/webhooks/hubspot", b"x" * (1 << 20) + b"y", **good)
    assert large.status == 413


def test_bad_bodies_with_good_signatures(hooked: HubProcess) -> None:
    for body, status in ((b"{", 400), (json.dumps([event(1, 1)] * 101).encode(), 413)):
        reply = hooked.request("POST", "/webhooks/hubspot", body, **signed(body))
        assert reply.status == status, reply.body
        assert reply.headers["content-type"] == "application/problem+json"


def test_another_sender_by_configuration(hooked: HubProcess) -> None:
    body = b'{"action":"opened","repository":{"full_name":"a/b"}}'
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    fields = {"x_hub_signature_256": f"sha256={mac}", "x_github_event": "issues",
              "x_github_delivery": "guid-1"}  # fmt: skip
    assert hooked.request("POST", "/webhooks/code", body, **fields).json["accepted"] == 1
    assert hooked.request("POST", "/webhooks/code", body, **fields).json["duplicates"] == 1


def test_the_taking_socket_is_not_reachable_from_outside(hooked: HubProcess) -> None:
    assert hooked.request("POST", "/take/hubspot", b"[]").status == 404
    socket_file = hooked.folder / "run" / "hooks.sock"
    assert socket_file.stat().st_mode & 0o077 == 0


def test_without_the_control_process_nothing_is_promised(hooked: HubProcess) -> None:
    """Its sender is told to come back, and after its restart all is as before."""
    assert hooked.process is not None
    pid = hooked.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [control] = [
        int(child) for child in children
        if any(os.readlink(f).endswith("hooks.db") for f in Path(f"/proc/{child}/fd").iterdir())
    ]  # fmt: skip
    os.kill(control, signal.SIGSTOP)
    try:
        start = time.monotonic()
        status, _ = post(hooked.port, [event(5000, 5)])
        assert status == 503
        assert time.monotonic() - start < 5.0
        os.kill(control, signal.SIGKILL)
    finally:
        os.kill(control, signal.SIGCONT)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        status, body = post(hooked.port, [event(5000, 5, occurredAt=int(time.time() * 1000))])
        if status == 200:
            break
        time.sleep(0.1)
    assert json.loads(body)["accepted"] == 1


def test_they_are_counted(hooked: HubProcess) -> None:
    text = hooked.get("/metrics").text
    found = {line.split(" ")[0]: line.split(" ")[1] for line in text.splitlines() if line[0] != "#"}
    assert float(found["pihub_webhook_events_total"]) >= 300
    assert float(found['pihub_webhook_refused_total']) >= 4
    assert float(found['pihub_requests_total{route="webhook",status="2xx"}']) >= 200
