"""Malformed and odd raw requests against the ported server (tests/corpus/http)."""

from __future__ import annotations

import json
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.isolated.meinheld_harness import App, Reader, get

CORPUS = Path(__file__).parents[1] / "corpus" / "http" / "requests.toml"
CASES: list[dict[str, Any]] = tomllib.loads(CORPUS.read_text())["case"]


# With direct answers too, where the application says no to all of them: whoever takes the
# first look at a request, the parser decides.
@pytest.fixture(scope="module", params=[(), ("--direct",)], ids=["", "direct"])
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    with App("--max-body", str(1 << 20), *request.param) as running:
        yield running
        assert running.ask("/").body == b"hello\n", "the worker must be alive after all"
        assert running.stop() == 0, running.errors()


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 60
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_in_one_piece(app: App, case: dict[str, Any]) -> None:
    with app.connect(5) as sock:
        sock.sendall(raw(case))
        check(sock, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_in_small_pieces(app: App, case: dict[str, Any]) -> None:
    # Every state of the parser must survive the end of a read.
    with app.connect(5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = raw(case)
        size = 1 if len(data) < 4096 else 8191
        for start in range(0, len(data), size):
            try:
                sock.sendall(data[start : start + size])
            except (BrokenPipeError, ConnectionResetError):
                break  # refused already, and rightly: the answer is checked below
        check(sock, case)


def raw(case: dict[str, Any]) -> bytes:
    text: str = case["request"]
    return text.replace("{fill}", "a" * case.get("fill", 0)).encode("latin-1")


def check(sock: socket.socket, case: dict[str, Any]) -> None:
    reader = Reader(sock)
    methods = [case.get("method", "GET")]
    answers = []
    for index in range(len(case["status"])):
        answers.append(reader.answer((methods[index:] or ["GET"])[0]))
    assert [answer.status for answer in answers] == case["status"]
    for answer in answers:
        assert answer.headers["server"] == "pihub"
        if answer.status >= 400:
            assert answer.headers["connection"] == "close"
            assert answer.body.startswith(str(answer.status).encode())
    for answer, body in zip(answers, case.get("bodies", []), strict=False):
        assert answer.body == body.encode("latin-1")
    if {"env", "absent", "body"} & case.keys():
        seen = json.loads(answers[-1].body)
        expected = case.get("env", {})
        assert {key: seen["environ"].get(key) for key in expected} == expected
        assert not set(case.get("absent", [])) & seen["environ"].keys()
        assert seen["body"] == case.get("body", seen["body"])
    if case["closes"]:
        assert reader.at_end()
    else:
        # The connection is in step: what follows is the next request.
        sock.sendall(get("/wait?id=after", close=True))
        assert reader.answer().body == b"id=after"
