"""The semantic cache through the whole program, under both engines and over two workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from tests.system.clients import OPENAI
from tests.system.hub import HubProcess, Reply

EXTRA = """
[models.served]
chain = ["claude/claude-haiku-4-5"]
[models.served.semantic]
mode = "on"
model = "ollama/nomic-embed-text"
threshold = 0.5

[models.shadowed]
chain = ["claude/claude-haiku-4-5"]
[models.shadowed.semantic]
mode = "shadow"
model = "ollama/nomic-embed-text"
threshold = 0.5
deadline_ms = 3000
"""
ONE = "What is the capital of France?"
SAME = "Could you tell me the capital of France?"
OTHER = "What is not the capital of France?"


def until(true: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.mark.slow
def test_served_and_shadowed(engine: str, tmp_path: Path) -> None:
    with Demo() as demo, HubProcess(tmp_path, demo, engine, extra=EXTRA) as hub:

        def ask(model: str, text: str, *, stream: bool = False) -> Reply:
            body = OPENAI.body(model, text, stream=stream, temperature=0)
            reply = hub.post(OPENAI.path, body)
            assert reply.status == 200, reply.body
            return reply

        def seen(model: str) -> dict[str, Any]:
            rows = hub.admin("GET", "/cache").json["semantic"]
            return next(row for row in rows if row["model"] == model)

        first = ask("served", ONE)
        assert first.headers["x-pihub-cache"] == "MISS; not-kept"
        # Each request is a connection of its own: both workers are asked sooner or later.
        for stream in (False, True) * 4:
            found = ask("served", SAME, stream=stream)
            assert found.headers["x-pihub-cache"].startswith("HIT; semantic 0.")
            assert found.headers["x-pihub-cost"] == "0"
            text = OPENAI.stream_text(found.body) if stream else OPENAI.text(found.json)
            assert text == OPENAI.text(first.json)
        assert ask("served", OTHER).headers["x-pihub-cache"] == "MISS; not-kept"
        assert len(demo.log("claude")) == 2
        assert {entry["path"] for entry in demo.log("ollama")} >= {"/api/embed"}

        demo.faults("ollama", "F2", seconds=20, match="/api/embed")  # silence
        late = ask("served", "What is the capital of Spain?")
        assert late.headers["x-pihub-cache"] == "MISS; not-kept"
        assert 0.5 <= late.seconds < 2
        demo.clear("ollama")
        assert hub.get("/readyz").status == 200, "the breaker is closed"

        hub.admin("POST", "/cache/purge", {"tag": "served"})
        assert ask("served", SAME).headers["x-pihub-cache"] == "MISS; not-kept"

        for number, text in enumerate((ONE, SAME), 1):
            assert ask("shadowed", text).headers["x-pihub-cache"] == "MISS; not-kept"
            until(lambda number=number: seen("shadowed")["looked"] == number)
        found_rows = until(lambda: seen("shadowed")["compared"] and seen("shadowed"))
        assert found_rows["compared"] == 1
        assert found_rows["false_hit_ratio"] in (0.0, 1.0)
        assert seen("served")["mode"] == "on"
        metrics = hub.get("/metrics").text
        outcome = "differed" if found_rows["false_hit_ratio"] else "agreed"
        assert f'pihub_semantic_cache_total{{outcome="{outcome}"}} 1' in metrics
        assert 'pihub_semantic_cache_total{outcome="hit"} 8' in metrics
