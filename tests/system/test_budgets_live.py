"""Budgets of a real hub: set by command, held by all workers, kept over restarts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from pihub.cli.control_client import call
from pihub.demo.harness import Demo
from tests.system.hub import HubProcess


def chat(text: str, model: str = "cloud", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": 50, "messages": messages, **more}


def budgets(hub: HubProcess) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = call(hub.folder / "run" / "control.sock", "GET", "/budgets")[
        "items"
    ]
    return rows


def ledger(hub: HubProcess) -> float:
    """USD, by the recorded requests."""
    rows = json.loads(hub.get("/admin/api/v1/requests?limit=1000").body)["items"]
    return sum(row["cost_usd"] or 0.0 for row in rows)


def until_equal(hub: HubProcess, number: int) -> dict[str, Any]:
    end = time.monotonic() + 15
    while True:
        row = next(row for row in budgets(hub) if row["id"] == number)
        total = ledger(hub)
        if row["reserved_usd"] == 0 and abs(total - row["spent_today_usd"]) < 1e-9 and total:
            return row
        assert time.monotonic() < end, f"{row} against a ledger of {total}"
        time.sleep(0.1)


def test_a_budget_from_set_to_spent(engine: str, upstreams: Demo, tmp_path: Path) -> None:
    with HubProcess(tmp_path, upstreams, engine=engine) as hub:
        assert hub.post("/v1/chat/completions", chat("before")).status == 200
        said = hub.pihub("budgets", "set", "key", "test", "--per-day", "0.05").stdout
        assert "key 1" in said and "refuse" in said
        with ThreadPoolExecutor(8) as pool:
            replies = list(
                pool.map(
                    lambda n: hub.post("/v1/chat/completions", chat(f"question {n}")), range(24)
                )
            )
        assert {reply.status for reply in replies} == {200}
        row = until_equal(hub, 1)
        assert 0 < row["spent_today_usd"] < 0.05
        assert json.loads(hub.pihub("budgets", "--json").stdout)[0]["state"] == "free"
        # 50,000 tokens of output may cost 0.25 USD: more than the budget.
        refused = hub.post("/v1/chat/completions", chat("long", max_tokens=50_000))
        assert refused.status == 402
        assert refused.json["error"]["type"] == "insufficient_quota"
        assert hub.post("/v1/chat/completions", chat("local", model="local")).status == 200
        hub.pihub("budgets", "approve", "1", "1.00")
        assert hub.post("/v1/chat/completions", chat("long", max_tokens=50_000)).status == 200

        before = until_equal(hub, 1)
        hub.stop()
        hub.start()
        (after,) = budgets(hub)
        assert after["spent_today_usd"] == before["spent_today_usd"]
        assert after["approved_today_usd"] == 1.0


def test_a_killed_worker_s_reservation_is_given_back(
    engine: str, upstreams: Demo, tmp_path: Path
) -> None:
    with HubProcess(tmp_path, upstreams, engine=engine) as hub:
        hub.pihub("budgets", "set", "tenant", "default", "--per-day", "1")
        upstreams.faults("claude", "F10", seconds=20, after_tokens=2)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(hub.post, "/v1/chat/completions", chat("never ends", stream=True))
            end = time.monotonic() + 10
            while not budgets(hub)[0]["reserved_usd"]:
                assert time.monotonic() < end, "nothing was reserved"
                time.sleep(0.02)
            status = json.loads(hub.get("/admin/api/v1/status").body)
            for one in status["processes"]:
                if one["role"] == "worker":
                    os.kill(one["pid"], signal.SIGKILL)
            end = time.monotonic() + 20
            while budgets(hub)[0]["reserved_usd"] or not ledger(hub):
                assert time.monotonic() < end, "the dead worker's reservation stayed"
                time.sleep(0.05)
            waiting.exception(timeout=30)
        # What its client had received is paid for, in counter and ledger alike.
        row = until_equal(hub, 1)
        assert 0 < row["spent_today_usd"] < 0.01


def test_a_stream_is_cancelled_by_the_admin_api(
    engine: str, upstreams: Demo, tmp_path: Path
) -> None:
    with HubProcess(tmp_path, upstreams, engine=engine) as hub:
        upstreams.faults("claude", "F10", seconds=3, after_tokens=2)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(hub.post, "/v1/chat/completions", chat("long", stream=True))
            end = time.monotonic() + 10
            while not (rows := json.loads(hub.get("/admin/api/v1/streams").body)["items"]):
                assert time.monotonic() < end, "no stream is shown"
                time.sleep(0.02)
            assert rows[0]["model"] == "claude-haiku-4-5" and not rows[0]["cancelled"]
            gone = call(
                hub.folder / "run" / "control.sock", "DELETE", f"/streams/{rows[0]['request_id']}"
            )
            assert gone["request_id"] == rows[0]["request_id"]
            assert b"error" in waiting.result(timeout=30).body


def test_ask_first_from_the_refusal_to_its_repeat(upstreams: Demo, tmp_path: Path) -> None:
    with HubProcess(tmp_path, upstreams, workers=1) as hub:
        hub.pihub("budgets", "set", "key", "test", "--per-day", "0.000001", "--at-limit", "ask")
        paths = {
            "/v1/chat/completions": chat("may I", max_tokens=60),
            "/v1/messages": chat("may I", max_tokens=500),
            "/api/chat": {**chat("may I"), "options": {"num_predict": 4000}},
        }
        del paths["/api/chat"]["max_tokens"]
        for path, body in paths.items():
            calls = len(upstreams.log("claude"))
            refused = hub.post(path, body)
            assert refused.status == 402, refused.text
            said = re.search(r"up to ([0-9.]+) USD", refused.text)
            assert said is not None and "pihub budgets approve" in refused.text
            assert len(upstreams.log("claude")) == calls
            hub.pihub("budgets", "approve", "1", said[1])
            again = hub.post(path, body)
            assert again.status == 200, again.text
        gpt = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key)
        calls = len(upstreams.log("claude"))
        with pytest.raises(openai.APIStatusError, match="its owner can approve") as caught:
            gpt.chat.completions.create(**chat("a long one", max_tokens=50_000))
        assert caught.value.status_code == 402 and len(upstreams.log("claude")) == calls
        told = hub.admin("POST", "/budgets/1/approvals", {"usd": 1, "period": "day"})
        assert told.status == 200, told.text
        assert gpt.chat.completions.create(**chat("a long one", max_tokens=50_000)).id
        lines = hub.admin("GET", "/audit?limit=50").json["items"]
        approved = [one for one in lines if "approv" in one["action"]]
        assert len(approved) == len(paths) + 1
        assert all("1" in one["object"] and one["actor"] for one in approved), approved[0]
