"""Two tenants on every route of the data plane: each finds its own, and nothing of the other's.

The routes come from the map itself; one without a case fails. Whatever is tenant one's has MARK
in it: its model's name, its prompts, its answers.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from pihub.http.data.routes import FIXED, SINKS
from tests.system.hub import HubProcess, Reply

MARK = "mark-of-one"
EXTRA = """
[models.mark-of-one]
chain = ["ollama/mark-of-one-weights"]
[models.vectors]
chain = ["openai/text-embedding-3-small"]

[apis.shared]
prefix = "/apis/shared"
url = "http://127.0.0.1:{port}"
[apis.mark-of-one-api]
prefix = "/apis/mark-of-one"
url = "http://127.0.0.1:{port}"

[webhooks.mark-of-one-sender]
kind = "github"
secret_env = "TEST_HOOK_SECRET"
"""
SAY = f"[[say:the answer is {MARK}]]"
PLAIN = "[[say:an answer]]"


class Origin(BaseHTTPRequestHandler):
    """Fresh for a minute; says how often it was asked."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_GET(self) -> None:
        type(self).calls += 1
        out = json.dumps({"call": type(self).calls, "of": self.path}).encode()
        self.send_response(200)
        self.send_header("cache-control", "public, max-age=60")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args: Any) -> None:
        pass


class House:
    """A hub with tenant one, who may use all, and tenant two, who may use `local`, `vectors`
    and the API `shared`."""

    def __init__(self, hub: HubProcess, demo: Demo) -> None:
        self.hub, self.demo = hub, demo
        self.keys: dict[str, str] = {}
        self.told: list[str] = []
        """Everything that tenant two was answered."""

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        fields = {"authorization": f"Bearer {self.keys[who]}", **headers}
        reply = self.hub.request(method, path, body, **fields)
        if who == "two":
            self.told.append(f"{reply.headers} {reply.text}")
        return reply

    def post(self, who: str, path: str, body: Any, **headers: str) -> Reply:
        return self.ask(who, "POST", path, body, **headers)


@pytest.fixture(scope="module")
def house(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp(f"tenants-{engine}")
    origin = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    extra = EXTRA.format(port=origin.server_address[1])
    with Demo() as demo:
        env = {"TEST_HOOK_SECRET": "the-sender-s-secret"}
        hub = HubProcess(folder, demo, engine, extra=extra, env=env)
        hub.write_config()
        house = House(hub, demo)
        for name in ("one", "two"):
            text = hub.pihub("keys", "create", "--tenant", name, "--name", name).stdout
            house.keys[name] = next(word for word in text.split() if word.startswith("ph_"))
        hub.key = house.keys["one"]
        try:
            hub.start()
            rows = hub.admin("GET", "/tenants").json["items"]
            number = next(row["id"] for row in rows if row["name"] == "two")
            limits = {"models": ["local", "vectors"], "apis": ["shared"]}
            assert hub.admin("PUT", f"/tenants/{number}", limits).status == 200
            yield house
        finally:
            hub.stop()
            origin.shutdown()


def chat(path: str, model: str, text: str, **more: Any) -> dict[str, Any]:
    if path in ("/v1/completions", "/api/generate"):
        body: dict[str, Any] = {"model": model, "prompt": text}
    elif path == "/v1/responses":
        body = {"model": model, "input": text}
    else:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
    if path in ("/v1/messages", "/v1/completions"):
        body["max_tokens"] = 60
    if path.startswith("/api/"):
        body["stream"] = False
        body["options"] = {"temperature": 0}
    elif path != "/v1/messages/count_tokens":
        body["temperature"] = 0
    return body | more


def is_own(reply: Reply) -> None:
    """It was asked for anew."""
    assert reply.status == 200, reply.text
    assert not reply.headers["x-pihub-cache"].startswith("HIT"), reply.headers


def chats(house: House, path: str) -> None:
    said = chat(path, "local", SAY + path)
    for _ in range(3):
        mine = house.post("one", path, said)
    assert mine.headers["x-pihub-cache"].startswith("HIT"), mine.headers
    # The same bytes: its own call; by `only`: nothing is kept for it. What the model then says
    # is an echo of its own prompt, so it is asked for something else before.
    asked = len(house.demo.log("ollama"))
    assert house.post("two", path, said, x_pihub_cache="only").status == 404
    reply = house.hub.post(path, said, authorization=f"Bearer {house.keys['two']}")
    is_own(reply)
    assert len(house.demo.log("ollama")) > asked
    # The name of an Idempotency-Key is one key's own, with its body as with another.
    once = {"idempotency_key": f"one-{path}"}
    plain = chat(path, "local", PLAIN + path)
    for _ in range(2):
        house.post("one", path, said, **once)
    is_own(house.post("two", path, plain, **once))
    again = house.post("two", path, plain, **once)
    assert again.headers["x-pihub-cache"] == "HIT; idempotency-key"
    refused = house.post("two", path, chat(path, MARK, "hello"))
    assert refused.status == 403
    house.told[-1] = house.told[-1].replace(MARK, "its own word")


def streams(house: House, path: str) -> None:
    """A running stream is joined by its own tenant alone."""
    chats(house, path)
    text = f"[[tokens:60]] a long story of {path}"
    more = {"stream": True, "options": {"temperature": 0}} if "/api/" in path else {"stream": True}
    said = chat(path, "local", text) | more
    house.demo.pace(30.0)
    try:
        leader = threading.Thread(target=house.post, args=("one", path, said))
        leader.start()
        end = time.monotonic() + 5
        while not any(f"story of {path}" in entry["body"] for entry in house.demo.log("ollama")):
            assert time.monotonic() < end
            time.sleep(0.02)
        joined = house.post("one", path, said)
        assert joined.headers["x-pihub-cache"].startswith("HIT"), joined.headers
        leader.join()
    finally:
        house.demo.pace(0.0)
    reply = house.post("two", path, said)
    is_own(reply)


def responses(house: House, path: str) -> None:
    chats(house, path)
    made = house.post("one", path, chat(path, "local", SAY + "stored")).json["id"]
    assert house.ask("one", "GET", f"{path}/{made}").status == 200
    follow = chat(path, "local", "what did I say?", previous_response_id=made)
    assert house.post("two", path, follow).status == 400


def one_response(house: House, path: str) -> None:
    made = house.post("one", "/v1/responses", chat("/v1/responses", "local", SAY + path)).json["id"]
    base = "/v1/responses/"
    for method, what in (("GET", made), ("GET", f"{made}/input_items"), ("DELETE", made)):
        assert house.ask("two", method, base + what).status == 404
    assert house.ask("one", "GET", base + made).status == 200, "and it is still there"
    assert house.ask("one", "DELETE", base + made).status == 200


def jobs(house: House, path: str) -> None:
    said = chat("/v1/messages", "cloud", SAY)
    made = house.post("one", "/v1/messages", said, x_pihub_deadline="30m")
    assert made.status == 202, made.text
    name = made.json["id"]
    assert name in house.ask("one", "GET", "/v1/jobs").text
    found = house.ask("two", "GET", "/v1/jobs")
    assert (found.status, name in found.text) == (200, False)
    for method in ("GET", "DELETE"):
        assert house.ask("two", method, f"/v1/jobs/{name}").status == 404
    assert house.ask("one", "GET", f"/v1/jobs/{name}").json["status"] != "cancelled"


def vectors(house: House, path: str) -> None:
    field = "prompt" if path == "/api/embeddings" else "input"
    said = {"model": "vectors", field: f"{MARK} {path}"}
    for _ in range(3):
        mine = house.post("one", path, said)
    assert mine.headers["x-pihub-cache"].startswith("HIT"), mine.headers
    is_own(house.post("two", path, said))
    refused = house.post("two", path, said | {"model": MARK})
    assert refused.status == 403
    house.told[-1] = house.told[-1].replace(MARK, "its own word")


def counts(house: House, path: str) -> None:
    body = chat(path, "local", "how long is this")
    assert house.post("two", path, body).status == 200
    assert house.post("two", path, body | {"model": "cloud"}).status == 403


def lists(house: House, path: str) -> None:
    """A model of one's is loaded, too."""
    house.post("one", "/api/chat", chat("/api/chat", MARK, "hello"))
    assert MARK in house.ask("one", "GET", path).text
    assert house.ask("two", "GET", path).status == 200


def one_model(house: House, path: str) -> None:
    assert house.ask("one", "GET", f"/v1/models/{MARK}").status == 200
    for name in (MARK, f"ollama/{MARK}-weights"):
        assert house.ask("two", "GET", f"/v1/models/{name}").status == 403
        house.told[-1] = house.told[-1].replace(MARK, "its own word")


def shows(house: House, path: str) -> None:
    for name in (MARK, f"ollama/{MARK}-weights"):
        assert house.post("two", path, {"model": name}).status == 403
        house.told[-1] = house.told[-1].replace(MARK, "its own word")


def tells_nothing(house: House, path: str) -> None:
    for accept in ("*/*", "text/html"):
        assert house.ask("two", "GET", path, accept=accept).status < 400
        if path in ("/metrics", "/readyz"):
            # The owner's: names of the configuration are labels there, and no tenant's data.
            assert SAY not in house.told[-1]
            house.told[-1] = ""


def control(house: House, path: str) -> None:
    """A key of the data plane opens nothing there; what one tenant's people see there is asked
    in tests/http/test_control_tenants.py."""
    inside = {"/admin": "/admin/api/v1/requests", "/dashboard": "/dashboard/requests"}[path]
    assert house.ask("two", "GET", inside).status in (401, 403)
    assert house.ask("two", "GET", path).status in (302, 303, 307, 308, 401, 403, 404)


def webhooks(house: House, path: str) -> None:
    sender = f"{path}/{MARK}-sender"
    for method, body in (("GET", None), ("POST", {}), ("DELETE", None)):
        assert house.ask("two", method, sender, body).status in (401, 405)


def managed(house: House, path: str) -> None:
    assert house.post("two", path, {"model": "local"}).status in (403, 404)


CASES: dict[str, Callable[[House, str], None]] = {
    "openai_chat": streams, "anthropic_messages": streams, "ollama_chat": streams,
    "openai_completions": chats, "ollama_generate": chats, "openai_responses": responses,
    "openai_embeddings": vectors, "ollama_embed": vectors, "ollama_embeddings": vectors,
    "count_tokens": counts, "ollama_show": shows, "models": lists, "model": one_model,
    "response": one_response, "jobs": jobs, "job": jobs, "tags": lists, "ollama_ps": lists,
    "ollama_version": tells_nothing, "root": tells_nothing, "healthz": tells_nothing,
    "readyz": tells_nothing, "metrics": tells_nothing, "control": control,
    "webhooks": webhooks, "ollama_manage": managed,
}  # fmt: skip
ROUTES = sorted({(path, what) for _, path, what in FIXED} | set(SINKS))


@pytest.mark.parametrize(("path", "what"), ROUTES)
def test_every_route(house: House, path: str, what: str) -> None:
    """A route of the map that has no case here fails."""
    house.told.clear()
    CASES[what](house, path)
    assert house.told, "tenant two has asked something"
    for text in house.told:
        assert MARK not in text


def test_no_case_is_left_over() -> None:
    assert set(CASES) == {what for _, what in ROUTES}


def test_generic_apis(house: House) -> None:
    """Kept answers are one tenant's own; an API that a tenant may not use tells it nothing."""
    house.told.clear()
    for _ in range(2):
        mine = house.ask("one", "GET", "/apis/shared/a")
    assert mine.headers["x-pihub-cache"].startswith("HIT")
    first = house.ask("two", "GET", "/apis/shared/a")
    assert not first.headers["x-pihub-cache"].startswith("HIT")
    assert first.json["call"] != mine.json["call"]
    assert house.ask("two", "GET", "/apis/mark-of-one/a").status == 403
    assert not [text for text in house.told if MARK in text]
