"""`pihub top` and `pihub demo`."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from pihub.cli import exits
from tests.cli.conftest import Served, environment, pihub
from tests.cli.test_serve import chat

# ---- top -----------------------------------------------------------------------------


def test_top_once(served: Served) -> None:
    done = served.cli("top", "--once")
    assert done.returncode == 0, done.stderr
    for word in ("requests", "latency", "hit rate", "streams", "ollama", "closed", "worker 1"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout


def test_top_json_counts_what_happens(served: Served) -> None:
    before = json.loads(served.cli("top", "--json").stdout)
    for _ in range(3):
        assert chat(served, text="counted by top")[0] == 200
    after = json.loads(served.cli("top", "--json").stdout)
    assert after["requests"] - before["requests"] == 3
    assert after["breakers"]["ollama"]["calls"] - before["breakers"]["ollama"]["calls"] == 1
    assert after["hit_rate"] > 0
    assert after["latency_ms"]["p99"] >= after["latency_ms"]["p50"] > 0
    workers = [one for one in after["processes"] if one["role"] == "worker"]
    assert [one["alive"] and not one["late"] for one in workers] == [True]
    assert sum(one["requests"] for one in workers) == after["requests"]
    assert after["streams_open"] == 0


def test_top_on_a_terminal_refreshes_until_interrupted(served: Served) -> None:
    ours, theirs = pty.openpty()
    # Where these tests run in the background, SIGINT is ignored, and that is inherited.
    heard = ("env", "--default-signal=INT")
    child = subprocess.Popen(
        [*heard, sys.executable, "-m", "pihub", "top", "--every", "0.1"],
        cwd=served.folder,
        env=environment(),
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        # A shell's background job ignores SIGINT, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    try:
        data = b""
        deadline = time.monotonic() + 15
        while data.count(b"\x1b[H\x1b[J") < 3:
            assert time.monotonic() < deadline, data
            data += os.read(ours, 65536)
        child.send_signal(signal.SIGINT)
        # Read on, or its last words do not fit into the terminal and it waits for us.
        with contextlib.suppress(OSError):  # EIO: it has closed its side
            while select.select([ours], [], [], 10)[0] and time.monotonic() < deadline + 15:
                data += os.read(ours, 65536)
        assert child.wait(10) == exits.INTERRUPTED
        assert b"Traceback" not in data
    finally:
        os.close(ours)
        child.kill()
        child.wait(5)


def test_top_without_a_hub(tmp_path: Path) -> None:
    done = pihub("top", "--once", cwd=tmp_path)
    assert done.returncode == exits.UNREACHABLE
    assert "no hub runs in" in done.stderr
    assert "pihub serve" in done.stderr


def test_top_with_what_a_dead_hub_left(tmp_path: Path) -> None:
    run = tmp_path / ".pihub" / "run"
    run.mkdir(parents=True)
    (run / "hub.json").write_text(
        '{"pid": 4194303, "arena_fd": 3, "listen": "x", "workers": 1, "upstreams": {}}'
    )
    assert pihub("top", "--once", cwd=tmp_path).returncode == exits.UNREACHABLE
    (run / "hub.json").write_text("{")
    done = pihub("top", "--once", cwd=tmp_path)
    assert done.returncode == exits.UNREACHABLE
    assert "cannot be read" in done.stderr
    # another program has the number now, and the descriptor is no arena
    with (tmp_path / "x").open("wb") as file:
        value = {"pid": os.getpid(), "arena_fd": file.fileno()}
        (run / "hub.json").write_text(json.dumps({**value, "listen": "x", "workers": 1}))
        done = pihub("top", "--once", cwd=tmp_path)
    assert done.returncode == exits.UNREACHABLE
    assert "Traceback" not in done.stderr


# ---- demo ----------------------------------------------------------------------------


def test_demo(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "pihub", "demo", "--claude-port", "-1", "--pace", "0"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        assert set(json.loads(child.stdout.readline())) == {"ollama", "openai", "control"}
    finally:
        child.terminate()
        assert child.wait(10) == 0
        child.stdout.close()


def test_a_file_in_the_current_folder_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "asyncio.py").write_text("raise SystemExit('run from the current folder')")
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "pihub", "demo"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        assert "ollama" in json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()
