"""Deferred requests of a real hub: by batch, at night, over restarts, billed once."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from tests.system.hookparts import Subscriber
from tests.system.hub import HubProcess

EXTRA = """
[jobs]
gather = 0.2
poll = 0.2
night_from = "00:00"
night_to = "00:00"
"""


def chat(text: str, model: str = "cloud", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": 100, "messages": messages, **more}


def open_jobs(hub: HubProcess) -> None:
    """Until the control process takes them in, which is a moment after the hub is ready."""
    end = time.monotonic() + 30
    while hub.get("/v1/jobs").status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


def defer(hub: HubProcess, text: str, path: str = "/v1/chat/completions", **more: Any) -> str:
    headers = {name: more.pop(name) for name in ("x_pihub_webhook",) if name in more}
    body = chat(text, **more)
    if path.startswith("/api/"):
        body["options"] = {"num_predict": body.pop("max_tokens")}
    reply = hub.post(path, body, x_pihub_deadline="24h", **headers)
    assert reply.status == 202, reply.body
    assert reply.json["status"] == "queued"
    assert reply.headers["location"] == f"/v1/jobs/{reply.json['id']}"
    return str(reply.json["id"])


def wait(hub: HubProcess, id_: str, *states: str) -> dict[str, Any]:
    end = time.monotonic() + 20
    while True:
        job: dict[str, Any] = hub.get(f"/v1/jobs/{id_}").json
        if job["status"] in (states or ("done",)):
            return job
        assert time.monotonic() < end, job
        time.sleep(0.05)


def recorded(hub: HubProcess, count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 15
    while True:
        rows: list[dict[str, Any]] = hub.get("/admin/api/v1/requests?limit=1000").json["items"]
        if len(rows) >= count:
            return rows
        assert time.monotonic() < end, rows
        time.sleep(0.1)


@pytest.fixture(scope="module")
def jobs(upstreams: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("jobs"), upstreams, extra=EXTRA) as running:
        open_jobs(running)
        yield running


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_a_batch_is_half_the_price(jobs: HubProcess, upstreams: Demo, path: str) -> None:
    text = f"[[say:a deferred answer]] {path}"
    before = len(upstreams.log("claude"))
    job = wait(jobs, defer(jobs, text, path))
    said = json.dumps(job["result"])
    assert "a deferred answer" in said
    assert ("choices" in said) == path.endswith("completions")
    now = jobs.post("/v1/chat/completions", chat(text)).headers
    assert 0 < job["cost_usd"] <= float(now["x-pihub-cost"]) * 0.51
    calls = [one["path"] for one in upstreams.log("claude")[before:]]
    assert calls.count("/v1/messages/batches") == 1


def test_many_are_one_batch_and_each_is_billed_once(jobs: HubProcess, upstreams: Demo) -> None:
    before = len(upstreams.log("claude"))
    ids = [defer(jobs, f"question {n}") for n in range(12)]
    done = [wait(jobs, id_) for id_ in ids]
    batches = [
        one for one in upstreams.log("claude")[before:]
        if one["method"] == "POST" and one["path"] == "/v1/messages/batches"
    ]  # fmt: skip
    assert 1 <= len(batches) <= 4
    rids = {job["id"] for job in done}
    assert len(rids) == 12
    admin = {row["id"]: row for row in jobs.admin("GET", "/jobs?limit=200").json["items"]}
    time.sleep(1.5)  # long enough for a second bill, if there were one
    rows = recorded(jobs, 12)
    for job in done:
        mine = [row for row in rows if row["request_id"] == admin[job["id"]]["request_id"]]
        assert len(mine) == 1
        assert mine[0]["cost_usd"] == pytest.approx(job["cost_usd"])


def test_a_local_model_works_at_night(jobs: HubProcess) -> None:
    job = wait(jobs, defer(jobs, "local work", model="local"))
    assert job["target"].startswith("ollama/") and job["cost_usd"] == 0
    assert "local work" in json.dumps(job["result"])


def test_what_the_vendor_refuses_fails_and_costs_nothing(jobs: HubProcess) -> None:
    job = wait(jobs, defer(jobs, "[[batch:errored]]"), "failed")
    assert job["error"] and job["cost_usd"] == 0


def test_cancelled_before_it_was_sent(jobs: HubProcess, upstreams: Demo) -> None:
    upstreams.faults("claude", "F6", match="/v1/messages/batches", times=3)
    id_ = defer(jobs, "never mind")
    assert jobs.request("DELETE", f"/v1/jobs/{id_}").json["status"] == "cancelled"
    assert jobs.get(f"/v1/jobs/{id_}").json["status"] == "cancelled"


def test_nobody_sees_another_tenant_s(jobs: HubProcess) -> None:
    id_ = defer(jobs, "mine")
    text = jobs.pihub("keys", "create", "--tenant", "other", "--name", "o").stdout
    key = next(word for word in text.split() if word.startswith("ph_"))
    other = f"Bearer {key}"
    end = time.monotonic() + 5
    while jobs.get("/v1/jobs", authorization=other).status == 401:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert jobs.get(f"/v1/jobs/{id_}", authorization=other).status == 404
    assert jobs.request("DELETE", f"/v1/jobs/{id_}", authorization=other).status == 404
    assert jobs.get("/v1/jobs", authorization=other).json["data"] == []
    assert id_ in [job["id"] for job in jobs.get("/v1/jobs").json["data"]]
    assert jobs.get("/v1/jobs", authorization="Bearer ph_wrong").status == 401


def test_a_repeat_is_the_same_job(jobs: HubProcess) -> None:
    def ask(text: str, once: str) -> Any:
        return jobs.post(
            "/v1/messages", chat(text), x_pihub_deadline="24h", idempotency_key=once
        )

    first, again = ask("only once", "o1"), ask("only once", "o1")
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"] != ask("only once", "o2").json["id"]
    other = ask("something else", "o1")
    assert other.status == 422 and "Idempotency-Key" in other.json["error"]["message"]
    assert ask("only once", "o" * 256).status == 400
    job = wait(jobs, first.json["id"])
    assert ask("only once", "o1").json["status"] == job["status"] == "done"


def test_a_body_is_unpacked_and_bounded_as_of_any_chat(jobs: HubProcess) -> None:
    def ask(data: bytes) -> Any:
        return jobs.request(
            "POST", "/v1/chat/completions", gzip.compress(data),
            x_pihub_deadline="24h", content_encoding="gzip",
        )  # fmt: skip

    assert ask(json.dumps(chat("packed")).encode()).status == 202
    deep = ask(b'{"model":"cloud","messages":[],"metadata":' + b"[" * 900 + b"]" * 900 + b"}")
    assert deep.status == 400 and "nested" in deep.json["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"x_pihub_deadline": "soon"}, chat("a"), 400),
        ({"x_pihub_deadline": "10s"}, chat("a"), 400),
        ({"x_pihub_deadline": "24h", "x_pihub_webhook": "nobody"}, chat("a"), 400),
        ({"x_pihub_deadline": "24h"}, chat("a", model="none"), 404),
        ({"x_pihub_deadline": "24h"}, {"model": "cloud"}, 400),
        ({"x_pihub_deadline": "24h"}, chat("a", n=2), 400),
    ],
    ids=["word", "short", "webhook", "model", "body", "unsupported"],
)
def test_refused_at_once(
    jobs: HubProcess, headers: dict[str, str], body: Any, status: int
) -> None:
    reply = jobs.post("/v1/chat/completions", body, **headers)
    assert reply.status == status and "error" in reply.json, reply.body


@pytest.mark.slow
def test_killed_between_taken_and_done(upstreams: Demo, tmp_path: Path) -> None:
    """SIGKILL of the control process, then of the whole hub: nothing is lost or paid twice."""
    slow = EXTRA.replace("gather = 0.2", "gather = 1.5")
    with HubProcess(tmp_path, upstreams, extra=slow) as hub:
        open_jobs(hub)
        before = len(upstreams.log("claude"))
        ids = [defer(hub, f"survivor {n} {tmp_path.name}") for n in range(5)]
        for one in hub.admin("GET", "/status").json["processes"]:
            if one["role"] == "control":
                os.kill(one["pid"], signal.SIGKILL)
        open_jobs(hub)
        done = [wait(hub, id_) for id_ in ids]
        recorded(hub, 5)
        cost = sum(job["cost_usd"] for job in done)
        assert hub.process is not None
        hub.process.kill()
        hub.process.wait(10)
        time.sleep(0.5)
        hub.start()
        open_jobs(hub)
        assert [wait(hub, id_)["cost_usd"] for id_ in ids] == [job["cost_usd"] for job in done]
        time.sleep(1.5)
        rows = recorded(hub, 5)
        assert sum(row["cost_usd"] for row in rows) == pytest.approx(cost)
        sent = [one for one in upstreams.log("claude")[before:]
                if one["method"] == "POST" and one["path"].endswith("/batches")]  # fmt: skip
        names = [r["custom_id"] for one in sent for r in json.loads(one["body"])["requests"]]
        # Another hub of the module may have had something to send, too.
        assert sorted(name for name in names if name in ids) == sorted(ids)


@pytest.mark.slow
def test_a_subscriber_is_told(upstreams: Demo, tmp_path: Path) -> None:
    heard: list[tuple[dict[str, str], Any]] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {k.lower(): v for k, v in self.headers.items()}
            heard.append((headers, json.loads(body)))
            self.send_response(500 if len(heard) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    extra = EXTRA + f"""
[subscribers.mine]
url = "http://127.0.0.1:{server.server_port}/done"
secret_env = "TEST_JOB_SECRET"
"""
    env = {"TEST_JOB_SECRET": "kT3vQ9xLm2Zp8RwY5nB7"}
    try:
        with HubProcess(tmp_path, upstreams, extra=extra, env=env) as hub:
            open_jobs(hub)
            id_ = defer(hub, "tell me", x_pihub_webhook="mine")
            wait(hub, id_)
            end = time.monotonic() + 15
            while len(heard) < 2:
                assert time.monotonic() < end, heard
                time.sleep(0.05)
            assert hub.get(f"/v1/jobs/{id_}").json["webhook"] in ("waiting", "delivered")
    finally:
        with contextlib.suppress(OSError):
            server.shutdown()
    headers, body = heard[1]
    assert headers["webhook-id"] == heard[0][0]["webhook-id"]
    assert headers["webhook-signature"].startswith("v1,")
    assert body["type"] == "job.ended" and body["data"]["id"] == id_
    assert body["data"]["status"] == "done"


@pytest.mark.slow
def test_a_subscriber_that_refuses_for_good_is_not_asked_again(
    upstreams: Demo, tmp_path: Path
) -> None:
    """As for events: 410 is final, Retry-After is waited for, `delivery` bounds the attempts."""
    gone, busy, poor = Subscriber(), Subscriber(), Subscriber()
    gone.status, busy.status, poor.status = 410, 503, 400
    busy.retry_after = "3600"
    extra = EXTRA + "".join(
        f"""
[subscribers.{name}]
url = "http://127.0.0.1:{one.port}/done"
[subscribers.{name}.delivery]
attempts = 3
backoff = 0.01
"""
        for name, one in (("gone", gone), ("busy", busy), ("poor", poor))
    )
    try:
        with HubProcess(tmp_path, upstreams, extra=extra) as hub:
            open_jobs(hub)
            ids = {name: defer(hub, f"tell {name}", x_pihub_webhook=name)
                   for name in ("gone", "busy", "poor")}  # fmt: skip
            for id_ in ids.values():
                wait(hub, id_)

            def told(name: str) -> Any:
                return hub.get(f"/v1/jobs/{ids[name]}").json["webhook"]

            end = time.monotonic() + 20
            while {told("gone"), told("poor")} != {"given up"} or not busy.calls:
                assert time.monotonic() < end, {name: told(name) for name in ids}
                time.sleep(0.05)
            assert told("busy") == "waiting"
    finally:
        for one in (gone, busy, poor):
            one.stop()
    assert [one.calls for one in (gone, busy, poor)] == [1, 1, 3]
