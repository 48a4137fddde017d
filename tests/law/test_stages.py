"""The stages of a CI run: none fails unseen, wherever it ran and however it ended."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

STAGES = Path(__file__).parents[2] / ".ci" / "stages.sh"
pytestmark = pytest.mark.one_python  # a program of bash


def run(folder: Path, script: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n. {STAGES}\n{script}"],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stdout


def told(output: str) -> dict[str, str]:
    """Of the table at the end: a stage's name to its word."""
    lines = output.partition("==== all stages\n")[2].splitlines()
    return {line.split(maxsplit=3)[3]: line.split()[0] for line in lines}


def test_each_is_told_and_all_passed(tmp_path: Path) -> None:
    status, output = run(
        tmp_path,
        'beside "b: two" echo words of b\nstage a echo words of a\njoin "b: two"\nconclude',
    )
    assert status == 0 and told(output) == {"a": "passed", "b: two": "passed"}
    assert output.index("words of a") < output.index("words of b"), "whole, when it is joined"


@pytest.mark.parametrize(
    "script",
    [
        "stage bad false\nstage good true",
        "beside bad false\nstage good true\njoin bad",
        "beside bad false\nstage good true",
        "beside bad no-such-command\nstage good true\njoin bad",
        "beside bad sh -c 'exit 7'\nbeside good true\njoin good",
        # the whole group dies before anybody can write down how it ended
        "beside bad sh -c 'kill -9 0'\nstage good true\njoin bad",
    ],
    ids=["front", "beside", "not-joined", "missing", "joined-late", "killed"],
)
def test_a_failure_is_never_lost(tmp_path: Path, script: str) -> None:
    status, output = run(tmp_path, f"{script}\nconclude")
    assert (status, told(output)) == (1, {"bad": "FAILED", "good": "passed"}), output


def test_what_failed_before_is_not_what_ran_now(tmp_path: Path) -> None:
    """An end that an earlier run wrote down says nothing of this one."""
    assert run(tmp_path, "beside one true\njoin one\nconclude")[0] == 0
    assert run(tmp_path, "beside one sh -c 'kill -9 0'\njoin one\nconclude")[0] == 1


def test_whoever_stops_the_run_stops_what_runs_beside(tmp_path: Path) -> None:
    script = "beside long sh -c 'echo $$ >pid; sleep 60; true'\n"
    status, _ = run(tmp_path, script + "while [ ! -s pid ]; do sleep 0.05; done\nexit 3")
    assert status == 3
    process = Path("/proc", (tmp_path / "pid").read_text().strip())
    end = time.monotonic() + 10
    while process.exists() and "Z" not in (process / "stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < end, "it goes on without anybody"
        time.sleep(0.02)
