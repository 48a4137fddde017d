"""The control endpoints: faults go in, the log comes out."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from pihub.demo.faults import KNOWN
from pihub.demo.harness import Demo
from tests.demo.asking import ask


def control(demo: Demo, server: str, value: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{demo.url(server)}/__faults__", data=json.dumps(value).encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"fault": "F99"}, "unknown fault"),
        ({"fault": "F18"}, "unknown fault"),
        ({"fault": "F5", "time": 1}, "unknown field 'time'"),
        ({"fault": "F5", "times": 0}, "times is"),
        ({"fault": "F15", "usage": "never"}, "usage is"),
        ({"fault": "F2", "seconds": "x"}, "a number is wrong"),
        ([], "a fault is a JSON object"),
    ],
)
def test_a_wrong_injection_is_refused(demo: Demo, value: Any, words: str) -> None:
    status, answer = control(demo, "ollama", value)
    assert status == 400
    assert words in answer["error"]
    assert ask(demo, "ollama").status == 200


def test_on_the_servers_own_port_and_in_order(demo: Demo) -> None:
    control(demo, "openai", {"fault": "F6", "times": 1})
    status, listed = control(demo, "openai", {"fault": "F5", "times": 1})
    assert status == 200
    assert [one["fault"] for one in listed] == ["F6", "F5"]
    assert [ask(demo, "openai").status for _ in range(3)] == [500, 429, 200]


def test_only_what_generates_unless_matched(demo: Demo) -> None:
    def version() -> int:
        try:
            with urllib.request.urlopen(f"{demo.ollama}/api/version", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code

    demo.faults("ollama", "F6")
    assert version() == 200
    demo.clear()
    demo.faults("ollama", "F6", match="/")
    assert version() == 500


def test_the_log_tells_what_came(demo: Demo) -> None:
    ask(demo, "claude")
    ask(demo, "claude", stream=False)
    first, second = demo.wait_log("claude", lambda log: len(log) == 2 and bool(log[1]["ended"]))
    assert (first["method"], first["path"]) == ("POST", "/v1/messages")
    assert ["anthropic-version", "2023-06-01"] in first["headers"]
    assert json.loads(first["body"])["messages"][0]["content"] == "hello"
    assert (first["tokens"], first["finished"], first["aborted"]) == (8, True, False)
    assert second["connection"] != first["connection"]
    assert demo.log("ollama") == []


def test_an_abort_in_mid_stream_is_seen(demo: Demo) -> None:
    demo.pace(50)
    url = urlsplit(demo.ollama)
    body = b'{"model":"m","messages":[{"role":"user","content":"[[tokens:500]]"}]}'
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=5) as client:
        head = f"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        assert b"200 OK" in client.recv(4096)
    (entry,) = demo.wait_log("ollama", lambda log: log[-1]["aborted"])
    assert entry["tokens"] < 100


def test_each_fault_has_a_line_of_documentation() -> None:
    import pihub.demo.faults as module

    assert module.__doc__ is not None
    assert {
        line.split()[1] for line in module.__doc__.splitlines() if line.startswith("| F")
    } == KNOWN
