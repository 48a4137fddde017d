"""The question of the prompts' cost is asked once, of texts that are what they say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import prompts
from pihub.gateway.prompts.finder import Finder
from pihub.settings.prompts import Prompts


def test_each_text_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    assert prompts.run(argparse.Namespace(rounds=1, json=str(out))) == 0
    found = json.loads(out.read_text())
    assert set(found) == set(prompts.texts())
    assert all(0 < micros < 1_000_000 for micros in found.values())
    assert "µs a chat" in capsys.readouterr().out


def test_only_one_text_holds_what_is_looked_for() -> None:
    finder = Finder(Prompts().checks, 60, 1 << 20)
    changed = {
        name: prompts.judge(finder, prompts.body(text)) != prompts.body(text)
        for name, text in prompts.texts().items()
    }
    assert changed == {"prose": False, "prose and code": False, "findings": True}
