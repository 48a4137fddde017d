"""A deferred request may do what a live one of its key may: when taken, and when sent."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from tests.system.hub import HubProcess, Reply
from tests.system.test_jobs_live import EXTRA, chat, defer, open_jobs, wait

MODELS = """
[models.both]
chain = ["claude/claude-haiku-4-5", "ollama/llama3.2:3b"]
[models.home]
chain = ["claude/claude-haiku-4-5", "ollama/llama3.2:3b"]
policy = "local-only"
"""
LOCAL = {"PIHUB_ROUTING__KEY_POLICIES": '["1=local-only"]'}
PAIRS = EXTRA.replace("gather = 0.2", "gather = 3600.0\nbatch_size = 2") + MODELS


@pytest.fixture(scope="module")
def home(upstreams: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Its one key is local-only."""
    folder = tmp_path_factory.mktemp("home")
    with HubProcess(folder, upstreams, workers=1, extra=EXTRA + MODELS, env=LOCAL) as running:
        open_jobs(running)
        yield running


def test_a_local_only_key_s_jobs_stay_here(home: HubProcess, upstreams: Demo) -> None:
    before = len(upstreams.log("claude"))
    job = wait(home, defer(home, "stay at home", model="both"))
    assert job["target"] == "ollama/llama3.2:3b"
    for path in ("/v1/chat/completions", "/v1/messages", "/api/chat"):
        refused = home.post(path, chat("stay at home"), x_pihub_deadline="24h")
        assert refused.status == 403 and "local-only leaves no target" in refused.text
    asked = home.post(
        "/v1/messages", chat("out", model="both"), x_pihub_deadline="24h",
        x_pihub_policy="cloud-only",
    )  # fmt: skip
    assert asked.status == 403
    assert len(upstreams.log("claude")) == before


def test_what_is_no_chat_stays_here_too(home: HubProcess, upstreams: Demo) -> None:
    before = len(upstreams.log("claude"))
    body = {"model": "both", "messages": [{"role": "user", "content": "my diary"}]}
    counted = home.post("/v1/messages/count_tokens", body)
    assert counted.status == 200 and counted.headers["x-pihub-token-count"] == "estimate"
    assert home.post("/v1/messages/count_tokens", {**body, "model": "cloud"}).status == 403
    assert home.post("/v1/embeddings", {"model": "cloud", "input": "my diary"}).status == 403
    assert home.post("/v1/embeddings", {"model": "both", "input": "my diary"}).status == 200
    assert len(upstreams.log("claude")) == before


@pytest.fixture(scope="module")
def in_pairs(upstreams: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A batch is sent when its second request comes: time to change what the first may."""
    with HubProcess(tmp_path_factory.mktemp("pairs"), upstreams, extra=PAIRS) as running:
        open_jobs(running)
        yield running


@pytest.fixture
def pairs(in_pairs: HubProcess) -> HubProcess:
    """No request waits for a second one."""
    for job in in_pairs.get("/v1/jobs").json["data"]:
        in_pairs.request("DELETE", f"/v1/jobs/{job['id']}")
    return in_pairs


def test_a_model_s_and_a_request_s_policy_choose_the_target(pairs: HubProcess) -> None:
    def of(model: str, **more: str) -> str:
        reply = pairs.post(
            "/v1/messages", chat("where", model=model), x_pihub_deadline="24h", **more
        )
        assert reply.status == 202, reply.text
        return str(reply.json["target"]).partition("/")[0]

    assert of("assistant") == "claude"  # its batch interface is cheaper than its place
    assert of("assistant", x_pihub_policy="local-first") == "ollama"
    assert of("both", x_pihub_policy="local-only") == "ollama"
    assert of("home") == of("home", x_pihub_policy="quality") == "ollama"


def key_of(hub: HubProcess, name: str, *more: str) -> tuple[str, int]:
    made = json.loads(hub.pihub("keys", "create", "--name", name, "--json", *more).stdout)
    end = time.monotonic() + 30
    while hub.get("/v1/jobs", authorization=f"Bearer {made['token']}").status == 401:
        assert time.monotonic() < end
        time.sleep(0.05)
    return str(made["token"]), int(made["id"])


def deferred_by(hub: HubProcess, key: str, text: str) -> Reply:
    return hub.post(
        "/v1/messages", chat(text), x_pihub_deadline="24h", authorization=f"Bearer {key}"
    )


def test_a_key_that_was_revoked_meanwhile(pairs: HubProcess, upstreams: Demo) -> None:
    key, number = key_of(pairs, "leaver")
    id_ = deferred_by(pairs, key, "after I left").json["id"]
    pairs.pihub("keys", "revoke", str(number))
    second = defer(pairs, "who stayed")
    job = wait(pairs, id_, "failed")
    assert wait(pairs, second)["status"] == "done"
    assert "revoked" in job["error"] and job["cost_usd"] == 0
    assert not any("after I left" in one["body"] for one in upstreams.log("claude"))


def test_a_budget_that_is_spent_meanwhile_is_waited_for(
    pairs: HubProcess, upstreams: Demo
) -> None:
    key, number = key_of(pairs, "saver")
    id_ = deferred_by(pairs, key, "if there is money").json["id"]
    pairs.pihub(
        "budgets", "set", "key", str(number), "--per-day", "0.000001", "--at-limit", "ask"
    )
    assert wait(pairs, defer(pairs, "who has some"))["status"] == "done"
    end = time.monotonic() + 15
    while not (job := pairs.get(f"/v1/jobs/{id_}").json)["error"]:
        assert time.monotonic() < end, job
        time.sleep(0.05)
    assert job["status"] == "queued" and "its owner can approve so much more" in job["error"]
    assert deferred_by(pairs, key, "one more").status == 402
    assert not any("if there is money" in one["body"] for one in upstreams.log("claude"))


def kill_control(hub: HubProcess) -> None:
    for one in hub.admin("GET", "/status").json["processes"]:
        if one["role"] == "control":
            os.kill(one["pid"], signal.SIGKILL)
    open_jobs(hub)


@pytest.mark.slow
def test_what_a_batch_may_cost_is_held_until_it_is_paid(upstreams: Demo, tmp_path: Path) -> None:
    """Over SIGKILL of the control process, too."""

    def budget() -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(hub.pihub("budgets", "--json").stdout)
        return found[0]

    def until(reserved: bool) -> dict[str, Any]:
        end = time.monotonic() + 15
        while ((found := budget())["reserved_usd"] > 0) != reserved:
            assert time.monotonic() < end, found
            time.sleep(0.1)
        return found

    # The batch is made, and what became of it is not told before the fault is gone.
    upstreams.faults("claude", "F6", status=500, match="/v1/messages/batches/")
    with HubProcess(tmp_path, upstreams, extra=EXTRA) as hub:
        open_jobs(hub)
        hub.pihub("budgets", "set", "key", "test", "--per-day", "0.001")
        id_ = defer(hub, "held [[say:four words it is]]")
        assert until(reserved=True)["spent_today_usd"] == 0
        # 100 tokens of output may cost 0.0005 USD: a second one has no room beside it.
        second = hub.post("/v1/messages", chat("no room", max_tokens=150), x_pihub_deadline="24h")
        assert second.status == 402, second.text
        kill_control(hub)
        until(reserved=True)
        upstreams.clear("claude")
        job = wait(hub, id_)
        spent = until(reserved=False)
        assert spent["spent_today_usd"] == pytest.approx(job["cost_usd"])
