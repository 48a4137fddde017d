"""The simulators as a program: its start, its end, its load."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pihub.demo.harness import Demo


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.05)


def test_ports_are_chosen_and_servers_left_out() -> None:
    with Demo(ports={"claude": -1, "openai": -1}) as demo:
        assert sorted(demo.ports) == ["control", "ollama"]
        assert demo.log("ollama") == []
    with Demo(ports={"ollama": demo.ports["ollama"]}) as again:
        assert again.ports["ollama"] == demo.ports["ollama"]


def test_a_taken_port_is_an_error_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match="cannot start the simulated upstreams"):
            Demo(ports={"ollama": taken.getsockname()[1]}).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(number: signal.Signals) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "pihub.demo"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert set(json.loads(child.stdout.readline())) == {"ollama", "claude", "openai", "control"}
    child.send_signal(number)
    assert child.wait(10) == 0
    child.stdout.close()


def test_it_ends_when_told_although_it_was_started_with_blocked_signals() -> None:
    words = [sys.executable, "-m", "pihub.demo"]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert child.stdout is not None
    child.stdout.readline()
    child.terminate()
    try:
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.stdout.close()


def test_it_ends_with_its_parent() -> None:
    code = (
        "import subprocess, sys, time\n"
        "c = subprocess.Popen([sys.executable, '-m', 'pihub.demo', '--with-parent'],"
        " stdout=subprocess.PIPE)\n"
        "c.stdout.readline()\n"
        "print(c.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    wait_gone(pid)


def test_it_imports_nothing_of_pihub() -> None:
    folder = Path(__file__).parents[2] / "pihub" / "demo"
    for file in folder.glob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", file.read_text(), re.MULTILINE):
            top = name.split(".")[0]
            assert name.startswith("pihub.demo") or top in sys.stdlib_module_names, (file, name)


def test_two_hundred_slow_streams_at_once() -> None:
    """All of them run side by side: together they take as long as one."""
    count, tokens, pace = 200, 30, 15
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": f"[[tokens:{tokens}]]"}]}
    ).encode()
    head = f"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with Demo(pace=pace) as demo:
        address = ("127.0.0.1", demo.ports["ollama"])
        clients = [socket.create_connection(address, timeout=20) for _ in range(count)]
        try:
            started = time.monotonic()
            for client in clients:
                client.sendall(head + body)
            for client in clients:
                data = b""
                while not data.endswith(b"0\r\n\r\n"):
                    piece = client.recv(65536)
                    assert piece, "the stream was cut"
                    data += piece
                assert data.count(b'"done":false') == tokens
                assert data.count(b'"done":true') == 1
            took = time.monotonic() - started
        finally:
            for client in clients:
                client.close()
        assert tokens / pace * 0.9 < took < tokens / pace * 4
        assert demo.stats("ollama")["requests"] == count
        assert os.path.exists(f"/proc/{demo.pid}")
