"""The simulated Ollama's machine: loads, keeps, evicts, queues, as Ollama does."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from pihub.demo.harness import Demo
from pihub.demo.machine import seconds

LLAMA, QWEN = "llama3.2:3b", "qwen3:0.6b"
FAST = {"load_mb": 10_000.0}
"""llama loads in 0.2 s, qwen in 0.05 s."""


@pytest.fixture(scope="module")
def running() -> Iterator[Demo]:
    with Demo(pace=0) as demo:
        yield demo


@pytest.fixture
def demo(running: Demo) -> Demo:
    for model in (LLAMA, QWEN):
        post(running, model=model, prompt="", keep_alive=0)
    running.machine(**FAST)
    return running


def post(demo: Demo, path: str = "/api/generate", **body: Any) -> dict[str, Any]:
    body.setdefault("stream", False)
    request = urllib.request.Request(demo.ollama + path, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        found = {"status": error.code, **json.load(error)}
    assert isinstance(found, dict)
    return found


def ps(demo: Demo) -> dict[str, dict[str, Any]]:
    with urllib.request.urlopen(demo.ollama + "/api/ps", timeout=10) as answer:
        return {one["name"]: one for one in json.load(answer)["models"]}


def test_the_first_request_loads_and_the_durations_are_real(demo: Demo) -> None:
    start = time.monotonic_ns()
    first = post(demo, model=LLAMA, prompt="hello")
    took = time.monotonic_ns() - start
    assert 190e6 < first["load_duration"] < took
    parts = first["load_duration"] + first["prompt_eval_duration"] + first["eval_duration"]
    assert parts <= first["total_duration"] <= took
    assert post(demo, model=LLAMA, prompt="hello")["load_duration"] < 100e6


def test_ps_tells_what_is_loaded_until_when(demo: Demo) -> None:
    assert ps(demo) == {}
    post(demo, model=LLAMA, prompt="hi", keep_alive="90s", options={"num_ctx": 2048})
    (one,) = ps(demo).values()
    assert (one["name"], one["size_vram"], one["context_length"]) == (LLAMA, 0, 2048)
    assert one["size"] == 2019393189 + 2048 * 114_688
    left = datetime.fromisoformat(one["expires_at"]).timestamp() - time.time()
    assert 85 < left <= 90
    assert post(demo, model=LLAMA, prompt="", keep_alive=0)["done_reason"] == "unload"
    assert ps(demo) == {}


def test_keep_alive_ends(demo: Demo) -> None:
    post(demo, model=QWEN, prompt="hi", keep_alive=0.2)
    assert QWEN in ps(demo)
    deadline = time.monotonic() + 5
    while ps(demo) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ps(demo) == {}
    post(demo, model=QWEN, prompt="hi", keep_alive=0)
    assert ps(demo) == {}, "0 unloads after the answer"
    assert post(demo, model=QWEN, prompt="hi", keep_alive="5 minutes")["status"] == 400


def test_a_clients_leaving_aborts_the_load(demo: Demo) -> None:
    demo.machine(load_mb=1000.0)
    aborted = demo.machine()["aborted"]
    body = json.dumps({"model": LLAMA, "prompt": "hi"}).encode()
    sock = socket.create_connection(("127.0.0.1", demo.ports["ollama"]))
    sock.sendall(b"POST /api/generate HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    deadline = time.monotonic() + 5
    while not ps(demo) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert LLAMA in ps(demo), "what is being loaded is listed"
    sock.close()
    while ps(demo) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ps(demo) == {}
    assert demo.machine()["aborted"] == aborted + 1


def test_one_request_at_a_time_in_their_order(demo: Demo) -> None:
    demo.machine(parallel=1, prefill=100.0)
    post(demo, model=QWEN, prompt="warm")
    ended: list[tuple[int, float, dict[str, Any]]] = []

    def ask(number: int) -> None:
        answer = post(demo, model=QWEN, prompt=f"{number} " + "word " * 20)
        ended.append((number, time.monotonic(), answer))

    start = time.monotonic()
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.03)
    for thread in threads:
        thread.join()
    assert [number for number, _, _ in ended] == [0, 1, 2]
    assert ended[2][1] - start > 0.6, "three prompts of 0.2 s, one after the other"
    last = ended[2][2]
    assert last["prompt_eval_duration"] < 0.3e9 < last["total_duration"], "waiting is no reading"


def test_the_beginning_of_the_last_prompt_is_not_read_again(demo: Demo) -> None:
    demo.machine(prefill=100.0)
    text = "word " * 40
    first = post(demo, model=QWEN, prompt=text)["prompt_eval_duration"]
    again = post(demo, model=QWEN, prompt=text + "more")["prompt_eval_duration"]
    other = post(demo, model=QWEN, prompt="nonce 1 " + text)["prompt_eval_duration"]
    assert again < first / 4 < other


def test_models_that_do_not_fit_take_turns(demo: Demo) -> None:
    demo.machine(memory_mb=2300.0, **FAST)
    post(demo, model=LLAMA, prompt="hi")
    post(demo, model=QWEN, prompt="hi")
    assert list(ps(demo)) == [QWEN]
    demo.machine(memory_mb=3000.0, **FAST)
    post(demo, model=LLAMA, prompt="hi")
    assert sorted(ps(demo)) == [LLAMA, QWEN]
    demo.machine(memory_mb=1000.0, **FAST)
    post(demo, model=LLAMA, prompt="", keep_alive=0)
    answer = post(demo, model=LLAMA, prompt="hi")
    assert answer["status"] == 500
    assert "requires more system memory" in answer["error"]


def test_another_context_loads_again(demo: Demo) -> None:
    loads = demo.machine()["loads"]
    for context in (2048, 2048, 4096):
        post(demo, model=QWEN, prompt="hi", options={"num_ctx": context})
    post(demo, model=QWEN, prompt="hi")
    assert demo.machine()["loads"] == loads + 2


def test_long_prompts_are_cut_unless_forbidden(demo: Demo) -> None:
    long = {"model": QWEN, "prompt": "word " * 100, "options": {"num_ctx": 32}}
    assert post(demo, **long)["prompt_eval_count"] == 32
    refused = post(demo, **long, truncate=False)
    assert (refused["status"], refused["error"]) == (
        400, "the input length exceeds the context length",
    )  # fmt: skip


def test_a_full_line_refuses(demo: Demo) -> None:
    demo.machine(queue=0)
    assert post(demo, model=QWEN, prompt="hi")["status"] == 503


@pytest.mark.parametrize(
    ("said", "meant"),
    [(None, None), (0, 0.0), (-1, 1e9), ("10m", 600.0), ("1h30m", 5400.0), ("500ms", 0.5),
     ("-1s", 1e9), ("60", 60.0)],
)  # fmt: skip
def test_keep_alive_as_go_reads_it(said: Any, meant: float) -> None:
    assert seconds(said) == meant
