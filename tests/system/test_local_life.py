"""Local models through the whole program, before an Ollama that loads, queues and forgets."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from pihub.demo.harness import Demo
from tests.system.clients import OPENAI
from tests.system.hub import HubProcess

LLAMA, QWEN = "llama3.2:3b", "qwen3:0.6b"
EXTRA = """
[streams]
ping = 0.3

[upstreams.ollama.queue]
parallel = 1

[models.paced]
chain = ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"]
policy = "local-first"

[models.small]
chain = ["ollama/qwen3:0.6b"]
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine() -> Iterator[Demo]:
    with Demo(pace=0) as demo:
        yield demo


@pytest.fixture(scope="module")
def hub(
    engine: str, machine: Demo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("life")
    with HubProcess(folder, machine, engine, extra=EXTRA) as running:
        yield running


def loaded(demo: Demo) -> list[str]:
    found = demo.machine()["loaded"]
    assert isinstance(found, list)
    return found


def unload(demo: Demo, *models: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", demo.ports["ollama"], timeout=10)
    for model in models:
        connection.request("POST", "/api/generate", json.dumps({"model": model, "keep_alive": 0}))
        connection.getresponse().read()
    connection.close()


def unseen(demo: Demo, hub: HubProcess, *models: str) -> None:
    """Unloaded, and the hub has looked."""
    unload(demo, *models)
    wanted = [f'pihub_model_loaded{{target="ollama/{model}"}} 0' for model in models]
    deadline = time.monotonic() + 15
    while not all(line in hub.get("/metrics").text for line in wanted):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_client_that_leaves_aborts_no_load(hub: HubProcess, machine: Demo) -> None:
    machine.machine(load_mb=300.0)  # 1.7 s
    unseen(machine, hub, QWEN)
    machine.clear_log("ollama")
    aborted, loads = machine.machine()["aborted"], machine.machine()["loads"]
    body = json.dumps(OPENAI.body("small", "hello", stream=False)).encode()
    sock = socket.create_connection(("127.0.0.1", hub.port))
    sock.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer "
        + hub.key.encode() + b"\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % len(body) + body
    )  # fmt: skip
    deadline = time.monotonic() + 10
    while machine.machine()["loads"] == loads and time.monotonic() < deadline:
        time.sleep(0.02)
    sock.close()
    while QWEN not in loaded(machine) and time.monotonic() < deadline:
        time.sleep(0.05)
    state = machine.machine()
    assert QWEN in state["loaded"]
    assert (state["loads"], state["aborted"]) == (loads + 1, aborted)
    chats = [e for e in machine.log("ollama") if e["path"] == "/api/chat"]
    assert chats == [], "the client was gone before its turn came"


def test_pings_while_a_model_loads(hub: HubProcess, machine: Demo) -> None:
    machine.machine(load_mb=400.0)  # 1.3 s
    unseen(machine, hub, QWEN)
    body = OPENAI.body("small", "hello", stream=True)
    reply = hub.post(OPENAI.path, body)
    assert reply.status == 200
    comments = [line for line in reply.text.splitlines() if line.startswith(":")]
    assert any(line.startswith(": loading ollama/qwen3:0.6b") for line in comments), comments
    assert reply.text.rstrip().endswith("data: [DONE]")
    assert '"content":"Simulated"' in reply.text

    for ask in (ask_openai, ask_anthropic):
        machine.faults("ollama", "F16", seconds=0.8, times=1, match="/api/chat")
        start = time.monotonic()
        assert "Simulated" in ask(hub)
        assert time.monotonic() - start > 0.8, "the SDK has met pings"


def ask_openai(hub: HubProcess) -> str:
    client = openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)
    messages: Any = [{"role": "user", "content": "hello"}]
    with client.chat.completions.stream(model="small", messages=messages) as stream:
        return stream.get_final_completion().choices[0].message.content or ""


def ask_anthropic(hub: HubProcess) -> str:
    client = anthropic.Anthropic(base_url=hub.url, api_key=hub.key, max_retries=0)
    messages: Any = [{"role": "user", "content": "hello"}]
    with client.messages.stream(model="small", max_tokens=99, messages=messages) as stream:
        return stream.get_final_text()


def test_a_load_that_fails_is_an_error_event(hub: HubProcess, machine: Demo) -> None:
    machine.machine(load_mb=400.0, memory_mb=100.0)
    unseen(machine, hub, QWEN)
    reply = hub.post(OPENAI.path, OPENAI.body("small", "hello", stream=True))
    assert "error" in reply.json if reply.status >= 500 else '"error":{' in reply.text
    assert "[DONE]" not in reply.text
    machine.machine(load_mb=0.0)


def test_predictions_come_true(hub: HubProcess, machine: Demo) -> None:
    """Load, prefill and decode, learnt from the first answers, foretell the next one."""
    machine.machine(load_mb=2000.0, prefill=400.0, parallel=1)
    machine.pace(60.0)
    unseen(machine, hub, LLAMA)

    def ask(number: int, words: int, **headers: str) -> Any:
        text = f"{number} [[tokens:30]] " + "word " * words
        return hub.post(OPENAI.path, OPENAI.body("paced", text, stream=False), **headers)

    for number in range(2):
        assert ask(number, 100).headers["x-pihub-route"] == f"ollama/{LLAMA}"
    warm = ask(7, 100)
    predicted, took = (int(warm.headers[f"x-pihub-{n}-ms"]) for n in ("predicted", "took"))
    assert abs(predicted - took) < 0.5 * took, (predicted, took)
    # Twice the prompt: the prediction grows as the time does.
    longer = ask(8, 200)
    assert int(longer.headers["x-pihub-predicted-ms"]) > predicted + 200
    unseen(machine, hub, LLAMA)
    cold = ask(9, 100)
    gain = int(cold.headers["x-pihub-predicted-ms"]) - predicted
    assert 400 < gain < 2500, "a model of 2 GB at 2 GB/s has to be loaded first"
    # A deadline between warm and cold: the warm model answers, the cold one is passed over.
    limit = str(predicted + 500)
    home = ask(10, 100, **{"x-pihub-deadline-ms": limit})
    assert home.headers["x-pihub-route"].startswith("ollama")
    unseen(machine, hub, LLAMA)
    up = ask(11, 100, **{"x-pihub-deadline-ms": limit})
    assert up.headers["x-pihub-route"].startswith("claude")
    assert up.headers["x-pihub-reason"].startswith("deadline: ollama/llama3.2:3b is predicted")
    machine.pace(0)
    machine.machine(load_mb=0.0)


def test_tags_tell_the_size(hub: HubProcess) -> None:
    models = {one["name"]: one for one in hub.get("/api/tags").json["models"]}
    assert models["small"]["size"] == models[f"ollama/{QWEN}"]["size"] == 522653767
    assert models["small"]["details"]["parameter_size"] == "751.63M"
    assert models["claude/claude-haiku-4-5"]["size"] == 0
