"""The endpoints beside chats, through a whole hub, by the vendors' own SDKs."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.system.hub import HubProcess, Upstreams

EXTRA = """
[models.vectors]
chain = ["openai/text-embedding-3-small"]
[ollama]
manage = "ollama"
manage_keys = [1]
"""


@pytest.fixture(scope="module")
def wide(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose first key may manage models, open to one web origin."""
    folder: Path = tmp_path_factory.mktemp("wide")
    hub = HubProcess(folder, upstreams, workers=1, extra=EXTRA)
    hub.env = {"PIHUB_SERVER__CORS_ORIGINS": "https://chat.example"}
    upstreams.pace(0)
    with hub:
        yield hub
    upstreams.pace(30)


def gpt(hub: HubProcess) -> openai.OpenAI:
    return openai.OpenAI(base_url=hub.url + "/v1", api_key=hub.key, max_retries=0)


def claude(hub: HubProcess) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=hub.url, api_key=hub.key, max_retries=0)


def llama(hub: HubProcess) -> ollama.Client:
    return ollama.Client(host=hub.url, headers={"authorization": f"Bearer {hub.key}"})


@pytest.mark.parametrize("model", ["local", "cloud", "compatible"])
def test_completions_of_every_upstream(wide: HubProcess, model: str) -> None:
    client = gpt(wide)
    whole = client.completions.create(model=model, prompt="hello", max_tokens=60)
    assert "Simulated" in whole.choices[0].text and whole.object == "text_completion"
    assert whole.choices[0].finish_reason == "stop" and whole.usage is not None
    chunks = list(
        client.completions.create(
            model=model,
            prompt="hello",
            max_tokens=60,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert chunks[-1].usage == whole.usage and not chunks[-1].choices
    cut = client.completions.create(model=model, prompt="hello", max_tokens=2)
    assert cut.choices[0].finish_reason == "length"


@pytest.mark.parametrize("model", ["local", "cloud", "compatible"])
def test_generate_of_every_upstream(wide: HubProcess, model: str) -> None:
    client = llama(wide)
    whole = client.generate(model=model, prompt="hello")
    assert "Simulated" in whole.response and whole.done and whole.eval_count
    parts = list(client.generate(model=model, prompt="hello", stream=True))
    assert "".join(part.response for part in parts) == whole.response
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    cut = client.generate(model=model, prompt="hello", options={"num_predict": 3})
    assert (cut.done_reason, cut.eval_count) == ("length", 3)


def test_generate_loads_a_local_model(wide: HubProcess) -> None:
    assert llama(wide).generate(model="local").done_reason == "load"


def test_case_60_embeddings_in_both_protocols_from_both_upstreams(wide: HubProcess) -> None:
    for model in ("vectors", "local"):
        packed = gpt(wide).embeddings.create(model=model, input=["a", "b"])  # base64: its default
        plain = gpt(wide).embeddings.create(model=model, input=["a", "b"], encoding_format="float")
        assert [d.index for d in packed.data] == [0, 1] and packed.usage.prompt_tokens == 2
        for one, two in zip(packed.data, plain.data, strict=True):
            assert one.embedding == pytest.approx(two.embedding, abs=1e-6)
        both = llama(wide).embed(model=model, input=["a", "b"])
        assert [list(v) for v in both.embeddings] == [
            pytest.approx(d.embedding, abs=1e-6) for d in plain.data
        ]
        old = llama(wide).embeddings(model=model, prompt="a")
        assert list(old.embedding) == pytest.approx(plain.data[0].embedding, abs=1e-6)
        small = gpt(wide).embeddings.create(model=model, input="a", dimensions=4)
        assert len(small.data[0].embedding) == 4


def test_case_60_what_no_upstream_can_embed_is_a_400(wide: HubProcess) -> None:
    with pytest.raises(openai.BadRequestError, match="tokens"):
        gpt(wide).embeddings.create(model="local", input=[[1, 2], [3]])
    with pytest.raises(openai.BadRequestError, match="no embeddings"):
        gpt(wide).embeddings.create(model="cloud", input="a")
    with pytest.raises(openai.NotFoundError):
        gpt(wide).embeddings.create(model="nobody", input="a")
    assert len(gpt(wide).embeddings.create(model="vectors", input=[[1, 2], [3]]).data) == 2


def test_the_same_embedding_again_is_answered_by_the_edge(wide: HubProcess) -> None:
    body = {"model": "vectors", "input": "again and again"}
    first, second = (wide.post("/v1/embeddings", body) for _ in range(2))
    assert first.body == second.body
    assert first.headers["x-pihub-cache"].startswith("MISS")
    assert second.headers["x-pihub-cache"].startswith("HIT")


def test_case_56_tokens_are_counted_and_nothing_is_generated(
    wide: HubProcess, upstreams: Upstreams
) -> None:
    messages: Any = [{"role": "user", "content": "hello there"}]
    upstreams.clear_log()
    exact = claude(wide).messages.count_tokens(model="cloud", messages=messages, system="be brief")
    assert exact.input_tokens == 4
    small = claude(wide).messages.count_tokens(model="local", messages=messages)
    tools: Any = [{"name": "t", "description": "d " * 200, "input_schema": {"type": "object"}}]
    large = claude(wide).messages.count_tokens(model="local", messages=messages, tools=tools)
    assert large.input_tokens > small.input_tokens + 50
    body = {"model": "local", "messages": messages, "max_tokens": 9, "stream": True}
    body |= {"thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "u"}}
    for model, how in (("local", "estimate"), ("cloud", "exact")):
        said = wide.post("/v1/messages/count_tokens?beta=true", {**body, "model": model})
        assert said.status == 200 and list(said.json) == ["input_tokens"], said.text
        assert said.headers["x-pihub-token-count"] == how
        assert "x-pihub-cost" not in said.headers
    paths = {entry["path"] for entry in upstreams.log("claude")}
    assert paths == {"/v1/messages/count_tokens"}
    # The hub's own watch looks at it meanwhile (/api/version, /api/ps).
    asked = {entry["path"] for entry in upstreams.log("ollama")}
    assert not asked & {"/api/chat", "/api/generate"}


def test_case_56_a_failing_upstream_gives_an_estimate(
    wide: HubProcess, upstreams: Upstreams
) -> None:
    upstreams.faults("claude", "F6", match="/v1/messages/count_tokens")
    said = wide.post(
        "/v1/messages/count_tokens",
        {"model": "cloud", "messages": [{"role": "user", "content": "hi"}]},
    )
    assert said.status == 200 and said.headers["x-pihub-token-count"] == "estimate"


def test_case_57_one_model_and_all_models(wide: HubProcess) -> None:
    assert "assistant" in [model.id for model in gpt(wide).models.list()]
    assert gpt(wide).models.retrieve("assistant").object == "model"
    assert claude(wide).models.retrieve("assistant").type == "model"
    assert gpt(wide).models.retrieve("openai/gpt-4o-mini").id == "openai/gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        gpt(wide).models.retrieve("nobody")
    assert "assistant" in [model.model for model in llama(wide).list().models]


def test_show_and_running_models(wide: HubProcess) -> None:
    shown = llama(wide).show("local")
    assert shown.modelinfo and "tools" in (shown.capabilities or [])
    assert llama(wide).show("cloud").details is not None
    assert llama(wide).ps().models[0].model == "llama3.2:3b"
    with pytest.raises(ollama.ResponseError):
        llama(wide).show("nobody")


def test_only_named_keys_manage_an_ollama(wide: HubProcess) -> None:
    progress = list(llama(wide).pull("llama3.2:3b", stream=True))
    assert [step.status for step in progress] == ["simulated pull", "success"]
    assert llama(wide).delete("llama3.2:3b").status == "success"
    other = wide.create_key("other")
    said = None
    for _ in range(100):
        said = wide.post("/api/pull", {"model": "x"}, authorization=f"Bearer {other}")
        if said.status != 401:  # the key is not known to the workers yet
            break
    assert said is not None and said.status == 403, said
    assert isinstance(said.json["error"], str)


def test_case_58_either_header_on_every_route_and_never_the_hub_s_key_upstream(
    wide: HubProcess, upstreams: Upstreams
) -> None:
    upstreams.clear_log()
    hello: Any = [{"role": "user", "content": "hello"}]
    chat = {"messages": hello, "max_tokens": 5, "stream": False}
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": chat,
        "/v1/messages": chat,
        "/v1/messages/count_tokens": {"messages": hello},
        "/api/chat": {"messages": hello, "stream": False},
        "/v1/completions": {"prompt": "x", "max_tokens": 5},
        "/api/generate": {"prompt": "x", "stream": False},
        "/v1/embeddings": {"input": "x"},
        "/api/embed": {"input": "x"},
        "/api/embeddings": {"prompt": "x"},
        "/api/show": {},
    }
    for path, body in bodies.items():
        for model in ("local", "cloud", "compatible"):
            for name, value in (
                ("authorization", f"Bearer {wide.key}"),
                ("x_api_key", wide.key),
            ):
                fields = {"authorization": "", name: value}
                said = wide.post(path, {"model": model, **body}, **fields)
                assert said.status == 200 or "embed" in path, (path, model, said.text)
        assert wide.post(path, {"model": "local", **body}, authorization="").status == 401
    for path in ("/v1/models", "/v1/models/local", "/api/tags", "/api/ps"):
        assert wide.get(path, authorization="", x_api_key=wide.key).status == 200
        assert wide.get(path, authorization="").status == 401
    for name in ("ollama", "claude", "openai"):
        entries = upstreams.log(name)
        assert entries and wide.key not in json.dumps(entries)


def test_case_62_probes_preflights_expect_and_ids(wide: HubProcess) -> None:
    for path in ("/", "/?beta=true"):
        connection = http.client.HTTPConnection("127.0.0.1", wide.port, timeout=30)
        connection.request("HEAD", path, headers={"authorization": f"Bearer {wide.key}"})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == b""
        connection.close()
    preflight = wide.request(
        "OPTIONS",
        "/v1/chat/completions",
        authorization="",
        origin="https://chat.example",
        access_control_request_method="POST",
        access_control_request_headers="authorization, x-stainless-os",
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://chat.example"
    assert preflight.headers["access-control-allow-headers"] == "authorization, x-stainless-os"
    body = {"model": "local", "messages": [{"role": "user", "content": "hi"}]}
    seen = wide.post("/v1/chat/completions", body, origin="https://chat.example")
    assert seen.headers["access-control-allow-origin"] == "https://chat.example"
    strange = wide.post("/v1/chat/completions", body, origin="https://evil.example")
    assert strange.status == 200 and "access-control-allow-origin" not in strange.headers
    assert len(seen.headers["x-pihub-request-id"]) == 16
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", wide.port), timeout=30) as sock:
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nexpect: 100-continue\r\n"
            f"authorization: Bearer {wide.key}\r\ncontent-length: {len(data)}\r\n"
            "connection: close\r\n\r\n"
        )
        sock.sendall(head.encode())
        first = sock.recv(65536)
        assert first.startswith(b"HTTP/1.1 100"), first
        sock.sendall(data)
        rest = b""
        while piece := sock.recv(65536):
            rest += piece
    assert b"HTTP/1.1 200" in first + rest
