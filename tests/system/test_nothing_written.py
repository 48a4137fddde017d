"""What is asked and answered is on no disk (of deferred chats: tests/store/test_jobs_store.py)."""

from __future__ import annotations

import time
from pathlib import Path

from tests.system.clients import ANTHROPIC, OLLAMA, OPENAI
from tests.system.hub import HubProcess, Upstreams

MARK = b"a-made-up-prompt-7d1f"


def written(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    return sorted(path.name for path in files if MARK in path.read_bytes())


def test_prompts_and_answers_are_in_no_file(
    engine: str, upstreams: Upstreams, tmp_path: Path
) -> None:
    with HubProcess(tmp_path, upstreams, engine=engine) as hub:
        text = f"say {MARK.decode()}"
        for client in (OPENAI, ANTHROPIC, OLLAMA):
            for stream in (False, True):
                for model in ("local", "cloud", "nobody"):
                    reply = hub.post(client.path, client.body(model, text, stream=stream))
                    assert model == "nobody" or MARK in reply.body, "the answer repeats it"
        end = time.monotonic() + 30
        while len(hub.admin("GET", "/requests").json["items"]) < 18:
            assert time.monotonic() < end, "all are recorded within a second or two"
            time.sleep(0.1)
        assert written(tmp_path) == []
        hub.stop()
        assert written(tmp_path) == []
