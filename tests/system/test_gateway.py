"""The main job over real sockets: each client to each upstream, cache, single-flight."""

from __future__ import annotations

import concurrent.futures
import itertools

import pytest

from tests.system.clients import ANTHROPIC, CLIENTS, OLLAMA, OPENAI, ClientCase
from tests.system.hub import HubProcess, Upstreams

COUNT = itertools.count()
UPSTREAM = {"local": "ollama", "cloud": "claude", "compatible": "openai"}


def prompt() -> str:
    return f"tell me about the number {next(COUNT)} and nothing else"


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("model", UPSTREAM)
def test_each_client_reaches_each_upstream(
    hub: HubProcess, upstreams: Upstreams, client: ClientCase, model: str
) -> None:
    text = prompt()
    whole = hub.post(client.path, client.body(model, text, stream=False))
    stream = hub.post(client.path, client.body(model, text, stream=True))
    assert whole.status == stream.status == 200, (whole.text, stream.text)
    assert client.complete(stream.body)
    # The simulated answers depend on the prompt alone.
    assert client.text(whole.json) == client.stream_text(stream.body) != ""
    for reply in (whole, stream):
        assert reply.headers["x-pihub-route"].startswith(UPSTREAM[model] + "/")
        assert reply.headers["x-pihub-simulated"] == "1"
        assert len(reply.headers["x-pihub-request-id"]) == 16
    seen = upstreams.log(UPSTREAM[model])[-1]
    assert hub.key not in str(seen), "the hub's key left the house"


@pytest.mark.parametrize("first", CLIENTS, ids=str)
@pytest.mark.parametrize("second", CLIENTS, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_won_in_one_protocol_is_a_hit_in_another(
    hub: HubProcess, first: ClientCase, second: ClientCase, stream: bool
) -> None:
    text = prompt()
    more = {"openai": {"max_tokens": 500}, "ollama": {"options": {"num_predict": 500}}}

    def ask(client: ClientCase, streamed: bool) -> dict[str, object]:
        body = client.body("assistant", text, stream=streamed)
        body.update(more.get(client.name, {}))
        if client is OLLAMA:
            body["options"] = {"num_predict": 500, "temperature": 0}
        else:
            body["temperature"] = 0
        return body

    miss = hub.post(first.path, ask(first, False))
    assert miss.headers["x-pihub-cache"].startswith("MISS"), miss.headers
    hit = hub.post(second.path, ask(second, stream))
    assert hit.headers["x-pihub-cache"].startswith("HIT"), hit.headers
    assert hit.headers["x-pihub-cost"] == "0"
    said = second.stream_text(hit.body) if stream else second.text(hit.json)
    assert said == first.text(miss.json)
    if stream:
        assert second.complete(hit.body)


def test_a_hit_comes_from_every_worker(hub: HubProcess) -> None:
    body = OPENAI.body("assistant", prompt(), stream=False, temperature=0)
    assert hub.post(OPENAI.path, body).headers["x-pihub-cache"].startswith("MISS")
    # A new connection each time: the kernel spreads them over the workers.
    replies = [hub.post(OPENAI.path, body) for _ in range(40)]
    assert {r.headers["x-pihub-cache"].split(";")[0] for r in replies} == {"HIT"}
    assert len({r.headers["x-pihub-request-id"] for r in replies}) == 40
    assert len({r.body for r in replies}) == 1


def test_undetermined_requests_are_not_kept_unless_asked(hub: HubProcess) -> None:
    body = OPENAI.body("assistant", prompt(), stream=False)
    for _ in range(2):
        told = hub.post(OPENAI.path, body).headers["x-pihub-cache"]
        assert told == "BYPASS; temperature-unset"
    kept = [
        hub.post(OPENAI.path, body, x_pihub_cache="ttl=60").headers["x-pihub-cache"]
        for _ in range(2)
    ]
    assert kept[0].startswith("MISS") and kept[1].startswith("HIT")
    off = hub.post(OPENAI.path, body, x_pihub_cache="off")
    assert off.headers["x-pihub-cache"] == "BYPASS; asked"
    only = hub.post(
        OPENAI.path, OPENAI.body("assistant", prompt(), stream=False), x_pihub_cache="only"
    )
    assert only.status == 404
    bad = hub.post(OPENAI.path, body, x_pihub_cache="ttl=never")
    assert bad.status == 400 and OPENAI.error(bad.json)


def test_beta_features_are_never_answered_from_the_cache(hub: HubProcess) -> None:
    body = ANTHROPIC.body("assistant", prompt(), stream=False, temperature=0)
    hub.post(ANTHROPIC.path, body)
    assert hub.post(ANTHROPIC.path, body).headers["x-pihub-cache"].startswith("HIT")
    reply = hub.post(ANTHROPIC.path, body, anthropic_beta="some-feature-2026-01-01")
    assert reply.headers["x-pihub-cache"] == "BYPASS; beta"


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_identical_requests_in_flight_cost_one_call(
    hub: HubProcess, upstreams: Upstreams, client: ClientCase
) -> None:
    text = prompt()
    more = {} if client is OLLAMA else {"temperature": 0}
    body = client.body("assistant", text, stream=False, **more)
    if client is OLLAMA:
        body["options"] = {"temperature": 0}
    upstreams.faults("ollama", "F16", seconds=0.7, times=1)
    upstreams.clear_log()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        replies = list(pool.map(lambda _: hub.post(client.path, body), range(24)))
    assert {r.status for r in replies} == {200}
    assert len({client.text(r.json) for r in replies}) == 1
    calls = [e for e in upstreams.log("ollama") if text in str(e)]
    assert len(calls) == 1, f"{len(calls)} calls for 24 identical requests"
    states = [r.headers["x-pihub-cache"].split(";")[0] for r in replies]
    assert states.count("MISS") == 1 and states.count("HIT") == 23


def test_a_failed_leader_does_not_fail_its_followers(hub: HubProcess, upstreams: Upstreams) -> None:
    body = OPENAI.body("local", prompt(), stream=False, temperature=0)
    upstreams.faults("ollama", "F6", status=500, times=1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: hub.post(OPENAI.path, body), range(8)))
    failed = [r for r in replies if r.status != 200]
    assert len(failed) <= 1, [r.text for r in failed]


def test_refusals_speak_the_caller_s_protocol(hub: HubProcess) -> None:
    for client in CLIENTS:
        body = client.body("assistant", "hello", stream=False)
        for headers in ({"authorization": "Bearer ph_wrong"}, {"authorization": ""}):
            reply = hub.post(client.path, body, **headers)
            assert reply.status == 401
            assert client.error(reply.json), reply.text
            assert reply.headers["x-pihub-request-id"]
        unknown = hub.post(client.path, client.body("nosuchmodel", "hello", stream=False))
        assert unknown.status == 404 and client.error(unknown.json)
        for broken in (b"{", b"[]", b"", b'{"model": 1}', b"\xff\xfe"):
            reply = hub.post(client.path, broken)
            assert reply.status == 400, (broken, reply.text)
            assert client.error(reply.json)


def test_the_key_is_taken_from_either_header(hub: HubProcess) -> None:
    body = ANTHROPIC.body("assistant", "hello", stream=False)
    reply = hub.post(ANTHROPIC.path, body, authorization="", x_api_key=hub.key)
    assert reply.status == 200


def test_models_in_three_shapes(hub: HubProcess) -> None:
    openai = hub.get("/v1/models").json
    assert openai["object"] == "list"
    assert "assistant" in [m["id"] for m in openai["data"]]
    anthropic = hub.get("/v1/models", anthropic_version="2023-06-01").json
    assert anthropic["has_more"] is False
    assert {m["type"] for m in anthropic["data"]} == {"model"}
    tags = hub.get("/api/tags").json
    assert "assistant" in [m["name"].removesuffix(":latest") for m in tags["models"]]
    assert hub.get("/api/version").json["version"]
    assert hub.get("/v1/models", authorization="").status == 401


def test_unknown_routes_and_methods(hub: HubProcess) -> None:
    assert hub.get("/v1/nothing").json["error"]["code"] == "not_found"
    assert hub.get("/nothing").json["status"] == 404
    assert hub.request("DELETE", "/healthz").status == 405
    assert hub.request("HEAD", "/").status == 200
    page = hub.get("/", accept="text/html")
    assert page.status == 302 and page.headers["location"] == "/dashboard"


def test_a_body_beyond_the_limit_is_413(hub: HubProcess) -> None:
    reply = hub.post(OPENAI.path, b" " * (11 * 1024 * 1024))
    assert reply.status == 413
