"""The cooperative waiter in a real meinheld loop: deadlines, leavers, concurrency, cost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.driver import ROOT, eventually


class Program:
    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid

    def ask(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def leave(self, path: str, after: float, *, reset: bool = False) -> None:
        """Ask, then close before the answer."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(after)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("waiter_program.py"))],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Program(int(process.stdout.readline()), process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, "the loop ends although greenlets have waited"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("path", ["/read", "/write", "/connect", "/event"])
def test_a_deadline_ends_the_wait_within_100_ms(program: Program, path: str) -> None:
    answer = program.ask(f"{path}?s=0.3")
    assert answer["outcome"] == "timeout"
    assert 0.299 <= answer["seconds"] < 0.45  # 50 ms of tick, and a busy machine


@pytest.mark.parametrize("path", ["/read", "/write", "/connect", "/event", "/sleep"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_ends_the_wait_within_a_second(
    program: Program, path: str, reset: bool
) -> None:
    before = len(program.ask("/")["events"])
    program.leave(f"{path}?s=15&watch=1", 0.1, reset=reset)
    event = eventually(
        lambda: program.ask("/")["events"][before:], "ClientGone was raised", within=3
    )[0]
    _, where, seconds = event.split()
    assert where == path
    assert float(seconds) < 1.1


def test_data_ends_the_wait_at_once_in_both_directions(program: Program) -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(program.ask, "/data?id=a&watch=1")
        eventually(lambda: program.ask("/")["pending"] == ["a"], "it waits for the late data")
        program.ask("/feed?id=a")
        answer = future.result(10)
    assert answer["outcome"] == "ready"


def test_sleeps_are_exact_to_milliseconds_and_concurrent(program: Program) -> None:
    with ThreadPoolExecutor(100) as pool:
        start = time.monotonic()
        answers = list(pool.map(lambda n: program.ask(f"/sleep?s=0.3&id={n}"), range(100)))
        took = time.monotonic() - start
    assert [answer["id"] for answer in answers] == [str(n) for n in range(100)]
    assert all(answer["outcome"] == "ready" for answer in answers)
    assert all(answer["seconds"] >= 0.3 for answer in answers)
    assert sorted(answer["seconds"] for answer in answers)[50] < 0.35
    assert took < 2


def test_many_mixed_waits_each_get_their_own_outcome(program: Program) -> None:
    paths = ["/read?s=0.4", "/sleep?s=0.4", "/event?s=0.4", "/connect?s=0.4", "/sleep?s=0.1"]
    want = ["timeout", "ready", "timeout", "timeout", "ready"]
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda n: program.ask(f"{paths[n % 5]}&id={n}"), range(60)))
    assert [answer["id"] for answer in answers] == [str(n) for n in range(60)]
    assert [answer["outcome"] for answer in answers] == want * 12


def test_two_waits_on_one_descriptor_are_refused(program: Program) -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = {a["outcome"] for a in pool.map(program.ask, ["/twice?s=0.5"] * 2)}
    assert outcomes == {"timeout", "RuntimeError('two greenlets wait for one descriptor')"}


def test_nothing_leaks_and_an_idle_loop_sleeps(program: Program) -> None:
    before = program.ask("/")
    for _ in range(3):
        for path in ("/read?s=0.05", "/sleep?s=0.01", "/event?s=0.05", "/connect?s=0.05"):
            program.ask(path)
    eventually(lambda: program.ask("/")["fds"] <= before["fds"] + 1, "descriptors are given back")
    time.sleep(0.2)  # the watchdog's last tick
    first = program.ask("/")
    time.sleep(2.0)
    second = program.ask("/")
    # the loop's own second tick, and the request that asks
    assert second["switches"] - first["switches"] <= 8
    assert second["cpu"] - first["cpu"] < 0.02


def test_waiting_alone_costs_twenty_wakeups_a_second(program: Program) -> None:
    first = program.ask("/")
    program.ask("/read?s=1.0&watch=1")
    second = program.ask("/")
    assert second["switches"] - first["switches"] <= 40
    assert second["cpu"] - first["cpu"] < 0.05
