"""Queues, predictions and deadlines through the whole program, with two workers."""

from __future__ import annotations

import concurrent.futures
import json
import re
from pathlib import Path

import pytest

from pihub.demo.harness import Demo
from tests.system.clients import OPENAI
from tests.system.hub import HubProcess, Reply

EXTRA = """
[upstreams.ollama.queue]
parallel = 1

[models.paced]
chain = ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"]
policy = "local-first"
"""


@pytest.mark.slow
def test_one_at_a_time_foretold_and_remembered(engine: str, tmp_path: Path) -> None:
    with Demo(pace=100.0) as demo, HubProcess(tmp_path, demo, engine, extra=EXTRA) as hub:

        def ask(number: int, **headers: str) -> Reply:
            filler = "x " * 30
            text = f"[[tokens:40]] please tell me a long story of the sea, {number}, {filler}"
            return hub.post(OPENAI.path, OPENAI.body("paced", text, stream=False), **headers)

        first = ask(0)
        assert "x-pihub-predicted-ms" not in first.headers, "nothing is known yet"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(ask, range(1, 5)))
        assert [reply.status for reply in replies] == [200] * 4
        assert {reply.headers["x-pihub-route"] for reply in replies} == {"ollama/llama3.2:3b"}
        waited = sorted(int(reply.headers.get("x-pihub-queue-ms", "0")) for reply in replies)
        assert waited[3] - waited[0] > 500, "three answers of 0.4 s stand before the last"
        assert all(int(reply.headers["x-pihub-predicted-ms"]) > 300 for reply in replies)
        up = ask(9, **{"x-pihub-deadline-ms": "50"})
        assert up.headers["x-pihub-route"] == "claude/claude-haiku-4-5"
        assert up.headers["x-pihub-reason"].startswith("deadline: ollama/llama3.2:3b is predicted")
        home = ask(10, **{"x-pihub-deadline-ms": "50", "x-pihub-policy": "local-only"})
        assert home.headers["x-pihub-route"] == "ollama/llama3.2:3b"
        metrics = hub.get("/metrics").text
        assert re.search(r"^pihub_prediction_error_seconds_count [4-9]", metrics, re.MULTILINE)
        assert 'pihub_routing_events_total{event="deadline_up"} 1' in metrics
        hub.stop()
        learnt = json.loads((tmp_path / "speeds.json").read_text())["ollama/llama3.2:3b"]
        assert learnt[1][0] > 20, "tokens a second survive the hub"
