"""The documentation's scripts run as written, with the official SDKs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.hub import HubProcess

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", ["openai_chat.py", "anthropic_chat.py", "ollama_chat.py"])
def test_the_sdk_script_runs(hub: HubProcess, name: str) -> None:
    env = {**os.environ, "PIHUB_URL": hub.url, "PIHUB_KEY": hub.key}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "assistant" in done.stdout
    lines = done.stdout.strip().splitlines()
    assert len(lines) >= 3 and len(lines[-1] + lines[-2]) > 20, done.stdout
    if name == "openai_chat.py":
        assert "second answer from ollama/llama3.2:3b | cache HIT" in done.stdout
