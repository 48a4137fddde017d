"""Token probabilities: asked for, carried and told between OpenAI's formats and Ollama's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.domain.chat import Answer, TokenLogprob
from pihub.domain.collect import collect, replay
from pihub.domain.stops import enforced
from pihub.errors import BadRequest
from pihub.protocols.openai.completions import CompletionsUpstream
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from pihub.protocols.responses.client import ResponsesClient
from tests.protocols.carry import (
    carry,
    chat,
    ndjson,
    notes,
    parse,
    rendered,
    sse,
    stream_answer,
    user,
    written,
)

HELLO: list[dict[str, Any]] = [
    {"token": "Hel", "logprob": -0.25, "bytes": [72, 101, 108],
     "top_logprobs": [{"token": "Hel", "logprob": -0.25, "bytes": [72, 101, 108]},
                      {"token": "Yo", "logprob": -1.5, "bytes": [89, 111]}]},
    {"token": "lo", "logprob": -0.5, "bytes": [108, 111],
     "top_logprobs": [{"token": "lo", "logprob": -0.5, "bytes": [108, 111]},
                      {"token": "p", "logprob": -2.0, "bytes": [112]}]},
]  # fmt: skip
TOKENS = tuple(TokenLogprob(one["token"], one["logprob"]) for one in HELLO)
ASKS: dict[str, dict[str, Any]] = {
    "openai": chat("openai", user(), logprobs=True, top_logprobs=2),
    "ollama": chat("ollama", user(), logprobs=True, top_logprobs=2),
    "completions": {"model": "assistant", "prompt": "hi", "logprobs": 2},
    "generate": {"model": "assistant", "prompt": "hi", "logprobs": True, "top_logprobs": 2},
    "responses": {"model": "assistant", "input": "hi", "top_logprobs": 2},
}


def openai_whole() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"},
              "logprobs": {"content": HELLO, "refusal": None}, "finish_reason": "stop"}  # fmt: skip
    return json.dumps({"id": "i", "model": "m", "created": 1, "choices": [choice]}).encode()


def ollama_line(text: str, told: list[dict[str, Any]], **more: Any) -> bytes:
    body = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False,
            "message": {"role": "assistant", "content": text}, **more}  # fmt: skip
    return json.dumps(body | ({"logprobs": told} if told else {})).encode() + b"\n"


def openai_chunk(text: str, told: list[dict[str, Any]], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish,
              "logprobs": {"content": told} if told else None}  # fmt: skip
    body = {"id": "i", "model": "m", "created": 1, "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


STREAMS = {
    "openai": openai_chunk("Hel", HELLO[:1])
    + openai_chunk("lo", HELLO[1:])
    + openai_chunk("", [], "stop"),
    "ollama": ollama_line("Hel", HELLO[:1])
    + ollama_line("lo", HELLO[1:])
    + ollama_line("", [], done=True, done_reason="stop"),
}
WHOLES = {
    "openai": openai_whole(),
    "ollama": ollama_line("Hello", HELLO, done=True, done_reason="stop"),
}


def answers(upstream: str) -> tuple[Answer, Answer]:
    """(whole, streamed)"""
    return (
        UPSTREAMS[upstream]().answer(200, (), WHOLES[upstream]),
        stream_answer(upstream, STREAMS[upstream]),
    )


@pytest.mark.parametrize("client", ASKS)
@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_32_logprobs_are_asked_for(client: str, upstream: str) -> None:
    sent = carry(client, upstream, ASKS[client])
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 2)
    assert not {"logprobs", "top_logprobs"} & set(notes(client, upstream, ASKS[client]))
    plain = {k: v for k, v in ASKS[client].items() if "logprobs" not in k}
    assert not {"logprobs", "top_logprobs"} & set(carry(client, upstream, plain))
    ask = parse(client, plain | {"max_tokens": 9} if client != "responses" else plain)
    assert UPSTREAMS["anthropic"]().notes(ask, "claude-sonnet-4-5").count("logprobs") == 0


@pytest.mark.parametrize("client", ["openai", "ollama", "generate", "responses"])
def test_anthropic_has_none_and_the_client_is_told(client: str) -> None:
    found = notes(client, "anthropic", ASKS[client])
    assert {"logprobs", "top_logprobs"} <= set(found)


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_32_logprobs_are_read_whole_and_streamed(upstream: str) -> None:
    whole, streamed = answers(upstream)
    assert whole.logprobs == streamed.logprobs
    assert [one.token for one in whole.logprobs] == ["Hel", "lo"]
    assert whole.logprobs[0].top_logprobs[1].logprob == -1.5
    assert whole.logprobs[0].bytes == (72, 101, 108)


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_32_logprobs_are_told_by_every_client_that_asks(upstream: str) -> None:
    whole, streamed = answers(upstream)
    for answer in (whole, streamed, collect(replay(whole))):
        for client in ("openai", "ollama", "generate", "completions", "responses"):
            maker = ResponsesClient() if client == "responses" else CLIENTS[client]()
            ask = maker.parse(json.dumps(ASKS[client]).encode())
            told = json.loads(maker.render(answer, ask))
            if client == "openai":
                assert told["choices"][0]["logprobs"] == {"content": HELLO, "refusal": None}
            elif client in ("ollama", "generate"):
                assert told["logprobs"] == HELLO
            elif client == "responses":
                assert told["output"][0]["content"][0]["logprobs"] == HELLO
            else:
                assert told["choices"][0]["logprobs"] == {
                    "tokens": ["Hel", "lo"],
                    "token_logprobs": [-0.25, -0.5],
                    "top_logprobs": [{"Hel": -0.25, "Yo": -1.5}, {"lo": -0.5, "p": -2.0}],
                    "text_offset": [0, 3],
                }


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_32_logprobs_are_streamed_with_their_text(upstream: str) -> None:
    parser = UPSTREAMS[upstream]().parser()
    flat = [e for piece in [*parser.feed(STREAMS[upstream]), *parser.eof()] for e in piece.events]

    def out(client: str) -> bytes:
        return written(client, flat, parse(client, {**ASKS[client], "stream": True}))

    said = [data["choices"][0] for _, data in sse(out("openai")) if data != "[DONE]"]
    told = [c["logprobs"]["content"] for c in said if c["delta"].get("content")]
    assert told == [HELLO[:1], HELLO[1:]]
    for client, field in (("ollama", "message"), ("generate", "response")):
        lines = [line for line in ndjson(out(client)) if not line["done"] and line[field]]
        assert [line["logprobs"] for line in lines] == [HELLO[:1], HELLO[1:]]
    said = [data["choices"][0] for _, data in sse(out("completions")) if data != "[DONE]"]
    assert [c["logprobs"]["text_offset"] for c in said if c["text"]] == [[0], [3]]
    client = ResponsesClient()
    renderer = client.renderer(client.parse(json.dumps(ASKS["responses"]).encode()))
    found = sse(b"".join(renderer.feed(event) for event in flat))
    deltas = [d for name, d in found if name == "response.output_text.delta"]
    assert [d["logprobs"][0]["token"] for d in deltas] == ["Hel", "lo"]
    done = next(d for name, d in found if name == "response.completed")
    assert done["response"]["output"][0]["content"][0]["logprobs"] == HELLO


def test_nobody_gets_what_he_did_not_ask_for() -> None:
    _, answer = answers("openai")
    ask = parse("openai", chat("openai", user(), stream=True))
    assert b'"logprobs":{' not in written("openai", replay(answer), ask)
    ask = parse("ollama", chat("ollama", user(), stream=True))
    assert b"logprobs" not in written("ollama", replay(answer), ask)
    assert rendered("anthropic", answer, parse("anthropic", chat("anthropic", user())))


def test_a_completions_upstreams_lists_are_read() -> None:
    lists = {"tokens": ["Hel", "lo"], "token_logprobs": [-0.25, -0.5],
             "top_logprobs": [{"Yo": -1.5}, None], "text_offset": [0, 3]}  # fmt: skip
    choice = {"index": 0, "text": "Hello", "logprobs": lists, "finish_reason": "stop"}
    body = {"id": "i", "model": "m", "created": 1, "choices": [choice]}
    answer = CompletionsUpstream().answer(200, (), json.dumps(body).encode())
    assert [(one.token, one.logprob) for one in answer.logprobs] == [("Hel", -0.25), ("lo", -0.5)]
    assert answer.logprobs[0].top_logprobs[0].token == "Yo"


@pytest.mark.parametrize("odd", ['"x"', "[1]", '{"content":[{"token":5}]}', "{}", "null"])
def test_nonsense_is_no_failed_answer(odd: str) -> None:
    body = openai_whole().decode().replace(json.dumps({"content": HELLO, "refusal": None}), odd)
    answer = UPSTREAMS["openai"]().answer(200, (), body.encode())
    assert answer.logprobs == () and answer.blocks


def test_case_47_a_stop_sequence_takes_its_tokens_with_it() -> None:
    _, answer = answers("openai")
    cut = collect(enforced(replay(answer), ["lo"]))
    assert [one.token for one in cut.logprobs] == ["Hel"]
    assert len(collect(enforced(replay(answer), ["never"])).logprobs) == 2


@pytest.mark.parametrize(
    ("more", "param"),
    [({"logprobs": True, "top_logprobs": 21}, "top_logprobs"), ({"top_logprobs": 2}, "logprobs")],
)
@pytest.mark.parametrize("client", ["openai", "ollama"])
def test_what_the_vendor_refuses(client: str, more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(client, chat(client, user(), **more))
    assert caught.value.param == param
