"""The connector on greenlets of a real meinheld loop: nobody waits for another."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.upstream.raw_server import Peer, RawServer, serving

ROOT = Path(__file__).parents[2]
OK = b"HTTP/1.1 200 OK\r\n"
left: dict[str, float] = {}


def upstream(peer: Peer) -> None:
    while peer.request():
        path = peer.target
        if path == "/slow":
            threading.Event().wait(0.5)
            peer.answer(b"slow")
        elif path == "/stream":
            peer.send(OK + b"transfer-encoding: chunked\r\n\r\n")
            for number in range(4):
                peer.send(b"7\r\ndata: %d\r\n" % number)
                threading.Event().wait(0.1)
            peer.send(b"0\r\n\r\n")
        elif path == "/refuse":
            peer.answer(b"no", "413 Too Large")
        elif path in ("/silent", "/stall"):
            if path == "/stall":
                peer.send(OK + b"content-length: 5\r\n\r\nab")
            peer.until_closed(10)
            left[path] = time.monotonic()
            return
        else:
            peer.answer(path.encode())


def early(peer: Peer) -> None:
    peer.sock.recv(1000)
    peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
    peer.server.done.wait(5)  # type: ignore[attr-defined]


class Worker:
    def __init__(self, server: RawServer) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "tests/upstream/meinheld_program.py", server.url],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def ask(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(10) == 0
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving(upstream) as made:
        yield made


@pytest.fixture(scope="module")
def worker(server: RawServer) -> Iterator[Worker]:
    made = Worker(server)
    yield made
    made.stop()


def test_many_slow_calls_wait_together(worker: Worker) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(worker.ask, ["/slow"] * 100))
    assert [a["body"] for a in answers] == ["slow"] * 100
    # One after the other they would take 50 s.
    assert time.monotonic() - begin < 5


def test_a_small_pool_serves_all_in_turn(worker: Worker) -> None:
    with ThreadPoolExecutor(30) as threads:
        paths = [f"/n{n}?size=2" for n in range(60)]
        answers = list(threads.map(worker.ask, paths))
    assert [a.get("body") for a in answers] == [f"/n{n}" for n in range(60)]
    (stats,) = worker.ask("/stats")["pool"].values()
    assert stats["waiting"] == 0
    assert stats["open"] == stats["idle"]


def test_waiting_for_a_place_ends_by_the_timer(worker: Worker) -> None:
    worker.ask("/warm")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(worker.ask, ["/slow?size=1&connect=0.2"] * 8))
    outcomes = [a.get("timer", a.get("body")) for a in answers]
    assert outcomes.count("slow") >= 1
    assert outcomes.count("connect") >= 1
    assert all(a["seconds"] < 1.5 for a in answers)


@pytest.mark.parametrize(
    ("path", "timer"),
    [
        ("/silent?headers=0.3", "headers"),
        ("/stall?idle=0.3", "idle"),
        ("/silent?total=0.3", "total"),
    ],
)
def test_timers(worker: Worker, path: str, timer: str) -> None:
    answer = worker.ask(path)
    assert answer["timer"] == timer
    assert 0.25 < answer["seconds"] < 1


@pytest.mark.parametrize("path", ["/silent", "/stall"])
def test_the_client_s_leaving_closes_the_upstream(worker: Worker, path: str) -> None:
    left.pop(path, None)
    sock = socket.create_connection(("127.0.0.1", worker.port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    threading.Event().wait(0.3)
    gone = time.monotonic()
    sock.close()
    while path not in left:
        assert time.monotonic() - gone < 5
        threading.Event().wait(0.01)
    assert left[path] - gone < 1


def test_streams_arrive_piece_by_piece(worker: Worker) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=10)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    times = []
    for number in range(4):
        assert answer.read(7) == b"data: %d" % number
        times.append(time.monotonic())
    assert answer.read() == b""
    connection.close()
    assert times[3] - times[0] > 0.2


def test_an_answer_before_the_body_is_read_and_large_bodies() -> None:
    with serving(early) as server:
        server.done = threading.Event()  # type: ignore[attr-defined]
        worker = Worker(server)
        answer = worker.ask("/x?send=20000000")
        server.done.set()  # type: ignore[attr-defined]
        assert (answer["status"], answer["body"]) == (413, "no")
        assert answer["seconds"] < 2
        worker.stop()


def test_large_bodies_go_up_whole(worker: Worker, server: RawServer) -> None:
    answer = worker.ask("/big?send=8000000")
    assert answer["body"] == "/big"
    assert len(server.requests[-1][1]) == 8_000_000
