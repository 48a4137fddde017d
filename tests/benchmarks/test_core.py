"""The core's benchmarks run: each question once, without measuring."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.core.run import machine, worse

ROOT = Path(__file__).parents[2]


def test_each_question_can_be_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-disable",
         "benchmarks/core", "-k", "not processes and not wake"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def figures(machine: str, **instructions: int) -> dict[str, Any]:
    return {"machine": machine, "rows": {}, "instructions": instructions}


def test_each_machine_has_its_baseline(tmp_path: Path) -> None:
    assert worse(figures("one", push=100, record=50), tmp_path) == []
    assert worse(figures("two", push=900), tmp_path) == [], "another machine's"
    assert worse(figures("one", push=111, record=50), tmp_path) == []
    assert worse(figures("one", push=112, record=50), tmp_path) == [
        "push: 100 -> 112 instructions"
    ], "small steps add up"
    assert worse(figures("one", push=90), tmp_path) == []
    kept = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert set(kept) == {"one.json", "two.json"}
    assert kept["one.json"]["instructions"] == {"push": 90, "record": 50}
    assert len(machine().split(", ")) >= 4
