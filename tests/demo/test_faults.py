"""Every fault, on the wire."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from pihub.demo.harness import Demo
from tests.demo.asking import SERVERS, TERMINAL, TOKEN, ask

both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
each = pytest.mark.parametrize("server", SERVERS)


@each
@both
def test_no_fault(demo: Demo, server: str, stream: bool) -> None:
    answer = ask(demo, server, stream=stream)
    assert (answer.status, answer.cut) == (200, "")
    assert answer.headers["x-simulated"] == "1"
    kinds = {"ollama": "application/x-ndjson"} if stream else {}
    expected = kinds.get(server, "text/event-stream" if stream else "application/json")
    assert answer.headers["content-type"].split(";")[0] == expected
    if stream:  # Claude says it twice: in `event:` and in the data
        assert answer.body.count(TERMINAL[server]) == (2 if server == "claude" else 1)
    else:
        json.loads(answer.body)


@each
def test_f1_refuses_until_cleared(demo: Demo, server: str) -> None:
    demo.faults(server, "F1")
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask(demo, server)
    assert demo.stats(server)["listening"] is False
    demo.clear(server)
    assert ask(demo, server).status == 200


def test_f1_for_a_while(demo: Demo) -> None:
    demo.faults("ollama", "F1", seconds=0.3)
    with pytest.raises(ConnectionRefusedError):
        ask(demo, "ollama")
    deadline = time.monotonic() + 5
    while not demo.stats("ollama")["listening"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ask(demo, "ollama").status == 200


@each
@pytest.mark.parametrize("fault", ["F2", "F3"])
def test_f2_f3_silence(demo: Demo, server: str, fault: str) -> None:
    demo.faults(server, fault, seconds=30)
    with pytest.raises(TimeoutError):
        ask(demo, server, timeout=0.3)
    (entry,) = demo.wait_log(server, lambda log: log[-1]["aborted"])
    assert entry["ended"] - entry["received"] < 2
    assert entry["status"] == (200 if fault == "F3" else 0)


def test_f2_ends_by_itself(demo: Demo) -> None:
    demo.faults("ollama", "F2", seconds=0.1)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(demo, "ollama")


@each
@both
@pytest.mark.parametrize(
    ("fault", "status"),
    [("F4", 401), ("F4", 403), ("F5", 429), ("F6", 500), ("F6", 529), ("F16", 503)],
)
def test_f4_f5_f6_statuses(demo: Demo, server: str, stream: bool, fault: str, status: int) -> None:
    demo.faults(server, fault, status=status, times=1, seconds=30, retry_after=7)
    answer = ask(demo, server, stream=stream)
    assert answer.status == status
    assert answer.headers["retry-after"] == "7"
    error = json.loads(answer.body)["error"]
    assert error if server == "ollama" else error["message"]
    if server == "claude":
        assert json.loads(answer.body)["type"] == "error"
        assert answer.headers["request-id"] == json.loads(answer.body)["request_id"]
    assert ask(demo, server, stream=stream).status == 200


def test_f5_without_retry_after(demo: Demo) -> None:
    demo.faults("claude", "F5")
    assert "retry-after" not in ask(demo, "claude").headers


@each
@both
def test_f7_error_in_a_200(demo: Demo, server: str, stream: bool) -> None:
    demo.faults(server, "F7")
    answer = ask(demo, server, stream=stream)
    assert answer.status == 200
    assert "error" in json.loads(answer.body)


@each
@both
def test_f8_html(demo: Demo, server: str, stream: bool) -> None:
    demo.faults(server, "F8")
    answer = ask(demo, server, stream=stream)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")


@each
@pytest.mark.parametrize(("fault", "cut"), [("F9", "short"), ("F10", "short"), ("F17", "reset")])
def test_f9_f10_f17_cuts(demo: Demo, server: str, fault: str, cut: str) -> None:
    demo.faults(server, fault, after_tokens=45, seconds=0.2)
    started = time.monotonic()
    answer = ask(demo, server)
    assert (answer.status, answer.cut) == (200, cut)
    assert TERMINAL[server] not in answer.body
    if fault == "F10":
        assert time.monotonic() - started >= 0.2
    if fault != "F17":  # an RST may drop what was not read yet
        assert answer.body.count(TOKEN[server]) == 45
    (entry,) = demo.wait_log(server, lambda log: bool(log[-1]["ended"]))
    assert (entry["tokens"], entry["finished"], entry["fault"]) == (45, False, fault)


@each
def test_f9_whole(demo: Demo, server: str) -> None:
    demo.faults(server, "F9")
    answer = ask(demo, server, stream=False)
    assert answer.cut == "short"
    assert len(answer.body) < int(answer.headers["content-length"])


@each
def test_f11_one_bad_event_and_nothing_lost(demo: Demo, server: str) -> None:
    demo.faults(server, "F11", times=1, after_tokens=4)
    answer = ask(demo, server)
    bad = []
    for line in answer.body.splitlines():
        text = line.removeprefix(b"data: ")
        if not text or line.startswith(b"event:") or text == b"[DONE]":
            continue
        try:
            json.loads(text)
        except ValueError:
            bad.append(line)
    assert len(bad) == 1
    assert TERMINAL[server] in answer.body
    assert answer.cut == ""
    demo.faults(server, "F11", times=1)
    with pytest.raises(ValueError, match=r"."):
        json.loads(ask(demo, server, stream=False).body)


@each
def test_f12_error_event(demo: Demo, server: str) -> None:
    demo.faults(server, "F12", after_tokens=2)
    answer = ask(demo, server)
    assert (answer.status, answer.cut) == (200, "")
    assert answer.body.count(TOKEN[server]) == 2
    last = answer.body.strip().splitlines()[-1].removeprefix(b"data: ")
    assert "error" in json.loads(last)
    assert TERMINAL[server] not in answer.body
    assert (b"event: error\n" in answer.body) == (server == "claude")
    assert ask(demo, server, stream=False).status == 500


@each
def test_f13_twice(demo: Demo, server: str) -> None:
    normal = ask(demo, server).body.count(TERMINAL[server])
    demo.faults(server, "F13")
    assert ask(demo, server).body.count(TERMINAL[server]) == 2 * normal


@each
def test_f14_no_terminal(demo: Demo, server: str) -> None:
    demo.faults(server, "F14")
    answer = ask(demo, server)
    assert answer.cut == ""
    assert TERMINAL[server] not in answer.body
    assert (b"data: [DONE]" in answer.body) == (server != "ollama")


@each
@pytest.mark.parametrize("mode", ["missing", "late", "early"])
def test_f15_usage(demo: Demo, server: str, mode: str) -> None:
    output = {
        "ollama": b'"eval_count"',
        "claude": b'"output_tokens":8',
        "openai": b'completion_tokens"',
    }
    normal = ask(demo, server).body
    demo.faults(server, "F15", usage=mode)
    body = ask(demo, server).body
    assert TERMINAL[server] in body
    expected = 0 if mode == "missing" else 1
    assert body.count(output[server]) == expected
    if server != "openai":
        assert normal.count(output[server]) == 1
    if mode == "early":
        assert body.index(output[server]) < body.index(
            TOKEN[server] if server != "ollama" else b"hello"
        )


@each
def test_f16_loading(demo: Demo, server: str) -> None:
    demo.faults(server, "F16", times=1, seconds=0.3)
    started = time.monotonic()
    answer = ask(demo, server)
    assert answer.status == 200
    assert time.monotonic() - started >= 0.3
    if server == "ollama":
        assert json.loads(answer.body.splitlines()[-1])["load_duration"] >= 300_000_000


def test_f16_with_a_status_ends_by_itself(demo: Demo) -> None:
    demo.faults("ollama", "F16", status=503, seconds=0.3)
    assert ask(demo, "ollama").status == 503
    deadline = time.monotonic() + 5
    while ask(demo, "ollama").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
