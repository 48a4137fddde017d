"""Prompts of keys that want them judged, through the whole program under both engines."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from tests.system.hub import HubProcess, Reply

EXTRA = """
[prompts]
keys = ["1=redact-then-cloud", "2=local-only", "4=cloud-ok"]

[models.watched]
chain = ["claude/claude-haiku-4-5"]
prompts = "redact-then-cloud"

[models.vectors]
chain = ["openai/text-embedding-3-small"]
"""
MAIL = "alice.smith@mail.example.org"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PATHS = ("/v1/chat/completions", "/v1/messages", "/api/chat")


class Judged:
    """A hub with four keys: redacting, local-only, none, cloud-ok."""

    def __init__(self, hub: HubProcess, demo: Demo) -> None:
        self.hub, self.demo = hub, demo
        self.keys = [hub.key]

    def ask(
        self, path: str, text: str, *, key: int = 1, model: str = "cloud", **more: Any
    ) -> Reply:
        headers = more.pop("headers", {})
        body = {"model": model, "stream": False, "messages": [{"role": "user", "content": text}]}
        if path == "/v1/messages":
            body["max_tokens"] = 60
        return self.hub.post(
            path, body | more, authorization=f"Bearer {self.keys[key - 1]}", **headers
        )

    def sent(self) -> list[str]:
        """What went out since the last time."""
        found = [entry["body"] for entry in self.demo.log("claude")]
        self.demo.clear_log("claude")
        return found


@pytest.fixture(scope="module")
def judged(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder: Path = tmp_path_factory.mktemp(f"prompts-{engine}")
    with Demo() as demo:
        hub = HubProcess(folder, demo, engine, extra=EXTRA)
        hub.write_config()
        keys = [hub.create_key(f"k{number}") for number in range(1, 5)]
        hub.key = keys[0]
        try:
            hub.start()
            both = Judged(hub, demo)
            both.keys = keys
            yield both
        finally:
            hub.stop()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_values_stay_and_the_answer_reads_right(judged: Judged, path: str, stream: bool) -> None:
    judged.sent()
    said = f"[[say:wrote to {MAIL} with {TOKEN} now]]"
    reply = judged.ask(path, said, stream=stream)
    assert reply.status == 200, reply.text
    (body,) = judged.sent()
    assert MAIL not in body
    assert TOKEN not in body
    text = re.sub(r'"[^"]*"\s*:\s*|[^\w@.\-_ ]', " ", reply.text) if stream else reply.text
    assert re.search(r"\[(?:EMAIL|SECRET)_", reply.text) is None
    assert MAIL in text.replace("\n", "")
    assert TOKEN in text
    assert reply.headers["x-pihub-prompt"] == "email=1, github-token=1; redacted"


@pytest.mark.parametrize("path", PATHS)
def test_tools_get_the_real_values(judged: Judged, path: str) -> None:
    judged.sent()
    said = f'[[tool:mail {{"to": "{MAIL}"}}]]'
    function = {"name": "mail", "parameters": {"type": "object", "properties": {}}}
    tool: Any = {"type": "function", "function": function}
    if path == "/v1/messages":
        tool = {"name": "mail", "input_schema": {"type": "object", "properties": {}}}
    reply = judged.ask(path, said, tools=[tool])
    assert reply.status == 200, reply.text
    assert MAIL in reply.text
    assert MAIL not in judged.sent()[0]


def test_the_fast_ways_step_aside_for_those_keys_alone(judged: Judged) -> None:
    """A kept answer of a key without a policy is never the answer to one that has one."""
    path, said = PATHS[1], f"one and the same text for {MAIL}"
    judged.sent()
    for _ in range(3):
        free = judged.ask(path, said, key=3, temperature=0)
    assert free.headers["x-pihub-cache"].startswith("HIT; exact")
    assert len(judged.sent()) == 1
    for _ in range(3):
        reply = judged.ask(path, said, key=1, temperature=0)
        assert reply.headers["x-pihub-cache"] == "BYPASS; prompt-found"
    assert not [body for body in judged.sent() if MAIL in body]
    lane = re.compile(r"^pihub_lane_total (\d+)", re.MULTILINE)

    def passed() -> int:
        found = lane.search(judged.hub.get("/metrics").text)
        assert found is not None
        return int(found[1])

    before = passed()
    for _ in range(20):
        judged.ask(path, "hello", key=1, temperature=1)
    assert passed() == before
    for _ in range(20):
        judged.ask(path, "hello", key=3, temperature=1)
    assert passed() > before
    judged.ask(path, f"hello {MAIL}", key=3, model="watched")
    assert MAIL not in judged.sent()[-1], "the model wants it, whatever the key"


def test_local_only_stays_or_is_refused(judged: Judged) -> None:
    judged.sent()
    for path in PATHS:
        reply = judged.ask(path, f"mail {MAIL}", key=2, model="assistant")
        assert reply.headers["x-pihub-route"].startswith("ollama/")
        reply = judged.ask(path, f"mail {MAIL}", key=2)
        assert reply.status == 403
        assert "no local target" in reply.text
        assert MAIL not in reply.text
    assert judged.sent() == []
    assert judged.ask(PATHS[0], "nothing to see", key=2).status == 200


def test_ways_that_are_no_chats(judged: Judged) -> None:
    """Counting, deferred requests and vectors know the same policies."""
    count = "/v1/messages/count_tokens"
    judged.sent()
    for key in (1, 2):
        reply = judged.ask(count, f"mail {MAIL}", key=key)
        assert reply.status == (200 if key == 1 else 403), reply.text
    assert [MAIL in body for body in judged.sent()] == [False]
    later = {"headers": {"x_pihub_deadline": "30m"}}
    for key in (1, 2):
        assert judged.ask(PATHS[1], f"mail {MAIL}", key=key, **later).status == 403
    kept = judged.ask(PATHS[0], f"mail {MAIL}", key=1, model="assistant", **later)
    assert kept.status == 202
    job = kept.json["id"]
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = judged.hub.get(f"/v1/jobs/{job}").json
        if found["status"] in ("done", "failed"):
            break
        time.sleep(0.1)
    assert found["status"] == "done", found
    assert judged.sent() == [], "it was asked of the local target"
    vectors = judged.hub.post(
        "/v1/embeddings", {"model": "vectors", "input": f"mail {MAIL}"},
        authorization=f"Bearer {judged.keys[0]}",
    )  # fmt: skip
    assert vectors.status == 200, vectors.text


def test_findings_are_told_without_a_value(judged: Judged) -> None:
    text = f"mail {MAIL} and {TOKEN}"
    assert judged.ask(PATHS[0], text, key=4).headers["x-pihub-prompt"].startswith("email=1")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        rows = judged.hub.get("/admin/api/v1/security/findings").json["items"]
        mine = [row for row in rows if row["field"] == "key 4"]
        if len(mine) >= 2:
            break
        time.sleep(0.1)
    assert {(row["kind"], row["place"], row["rule"], row["key"]) for row in mine} == {
        ("personal", "prompt", "email", 4), ("secret", "prompt", "github-token", 4),
    }  # fmt: skip
    email = next(row["id"] for row in mine if row["rule"] == "email")
    reply = judged.hub.admin("POST", "/security/allowances", {"finding": email})
    assert reply.status == 200, reply.text
    end = time.monotonic() + 10
    while time.monotonic() < end:
        told = judged.ask(PATHS[0], text, key=4).headers["x-pihub-prompt"]
        if told == "github-token=1":
            break
        time.sleep(0.1)
    assert told == "github-token=1"
    assert judged.hub.admin("DELETE", f"/security/allowances/{reply.json['id']}").status == 200
    assert judged.ask(PATHS[0], text, key=1).status == 200
    assert judged.ask(PATHS[0], text, key=2).status == 403
    assert judged.ask(PATHS[0], text, key=2, model="assistant").status == 200
    metrics = judged.hub.get("/metrics").text
    for name in ("found", "redacted", "kept_local", "withheld"):
        found = re.search(rf"^pihub_prompts_{name}_total (\d+)", metrics, re.MULTILINE)
        assert found is not None
        assert int(found[1]) > 0, name
    page = judged.hub.get("/dashboard/security").text.replace("<wbr>", "")
    assert "github-token" in page
    assert MAIL not in page + metrics + json.dumps(rows) + judged.hub.log
    assert TOKEN not in page + metrics + json.dumps(rows) + judged.hub.log

