"""Signed thinking goes back to the model that signed it, or is dropped with a warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pihub.errors import UpstreamUnreachable
from pihub.gateway.exchange import Reply
from tests.gateway.parts import SSE, Bench, FakeResponse, header, openai_whole
from tests.gateway.parts import make as make  # the fixture

Make = Callable[..., Bench]
SONNET, HAIKU = "an/claude-sonnet", "an/claude-haiku"


def thinking(signature: str = "sig-1", model: str = "claude-sonnet") -> FakeResponse:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": signature},
        {"type": "text", "text": "yes"},
    ]
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
            "content": content, "stop_reason": "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 5}}  # fmt: skip
    return FakeResponse(json.dumps(body).encode())


def streamed(signature: str) -> FakeResponse:
    def event(kind: str, **more: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()

    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet",
               "content": [], "stop_reason": None, "stop_sequence": None,
               "usage": {"input_tokens": 10, "output_tokens": 1}}  # fmt: skip
    block = {"type": "thinking", "thinking": "", "signature": ""}
    said = [{"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": signature}]  # fmt: skip
    return FakeResponse(
        event("message_start", message=message),
        event("content_block_start", index=0, content_block=block),
        *[event("content_block_delta", index=0, delta=delta) for delta in said],
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
              usage={"output_tokens": 3}),
        event("message_stop"),
        kind=SSE,
    )  # fmt: skip


def turn(signature: str = "sig-1") -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": "is it so?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": signature},
            {"type": "text", "text": "yes"}]},
        {"role": "user", "content": "sure?"},
    ]  # fmt: skip


def ask(
    bench: Bench, messages: Any = None, tenant: int = 1, **more: Any
) -> tuple[Reply, dict[str, Any]]:
    """The reply, and what the last upstream was sent."""
    body = {"model": "chat", "max_tokens": 4000, "messages": messages or turn(), **more}
    request = bench.incoming("anthropic", body=json.dumps(body).encode(), tenant=tenant)
    reply = bench.pipeline.handle(request)
    if not isinstance(reply.body, bytes):
        for _ in reply.body:
            pass
    return reply, json.loads(bench.connector.calls[-1][3])


def signed(sent: dict[str, Any]) -> bool:
    return "signature" in json.dumps(sent["messages"])


@pytest.fixture
def bench(make: Make) -> Bench:
    bench = make(chat=(HAIKU, SONNET), other=("oa",), up=(SONNET, HAIKU))
    bench.says("an", thinking)
    bench.says("oa", lambda: openai_whole())
    return bench


def test_a_conversation_stays_with_the_model_that_signed(bench: Bench) -> None:
    ask(bench, [{"role": "user", "content": "is it so?"}], model="up")
    reply, sent = ask(bench)
    assert sent["model"] == "claude-sonnet", "though haiku is first in the chain"
    assert header(reply, "x-pihub-reason") == "its signed thinking is this model's"
    assert signed(sent) and "x-pihub-warning" not in dict(reply.headers)
    assert ask(bench, tenant=2)[1]["model"] == "claude-haiku", "another tenant's signature"


def test_a_stream_teaches_it_too(bench: Bench) -> None:
    bench.says("an", lambda: streamed("sig-s"))
    ask(bench, [{"role": "user", "content": "is it so?"}], model="up", stream=True)
    bench.says("an", thinking)
    assert ask(bench, turn("sig-s"))[1]["model"] == "claude-sonnet"
    assert ask(bench, turn("never seen"))[1]["model"] == "claude-haiku"


def test_another_model_gets_the_conversation_without_it(bench: Bench) -> None:
    ask(bench, [{"role": "user", "content": "is it so?"}], model="up")
    bench.says("an", UpstreamUnreachable("down"), lambda: thinking("sig-2", "claude-haiku"))
    reply, sent = ask(bench)
    assert reply.status == 200
    assert sent["model"] == "claude-haiku"
    assert not signed(sent), "the signature is sonnet's"
    assert sent["messages"][1]["content"] == "yes"
    assert header(reply, "x-pihub-warning") == "dropped: thinking"
    # Both have signed now: the last one's pin counts, and each gets its own only.
    both = [*turn(), turn("sig-2")[1], {"role": "user", "content": "really?"}]
    bench.says("an", thinking)
    reply, sent = ask(bench, both)
    assert sent["model"] == "claude-haiku"
    assert "sig-2" in json.dumps(sent) and "sig-1" not in json.dumps(sent)


def test_other_protocols_never_get_it_and_the_client_is_told(bench: Bench) -> None:
    reply, sent = ask(bench, model="other")
    assert "hm" not in json.dumps(sent)
    assert header(reply, "x-pihub-warning") == "dropped: thinking"


def test_unknown_signatures_go_to_the_first_that_may_have_made_them(bench: Bench) -> None:
    bench.says("an", UpstreamUnreachable("down"), thinking)
    reply, sent = ask(bench, turn("unknown"))
    assert sent["model"] == "claude-sonnet" and not signed(sent)
    first = json.loads(bench.connector.calls[-2][3])
    assert first["model"] == "claude-haiku" and signed(first)
    assert header(reply, "x-pihub-warning") == "dropped: thinking"


def test_a_turn_of_nothing_but_foreign_thinking_disappears(bench: Bench) -> None:
    only = turn("unknown")
    only[1]["content"] = only[1]["content"][:1]
    _, sent = ask(bench, only, model="other")
    assert [m["content"] for m in sent["messages"]] == ["is it so?", "sure?"]
