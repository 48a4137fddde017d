"""Streams: every way to end, each with its bytes, its bill, its record, and nothing held."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pihub.errors import ClientGone, UpstreamIncomplete, UpstreamTimeout
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Column
from tests.gateway.parts import (
    SSE,
    Bench,
    FakeResponse,
    anthropic_chunks,
    header,
    openai_chunks,
    openai_stream,
    openai_whole,
)

Make = Callable[..., Bench]


class Broken:
    """A renderer that fails at its second event, and tells errors as the true one does."""

    content_type = SSE

    def __init__(self, real: Any) -> None:
        self._real = real
        self.fed = 0

    def feed(self, event: object) -> bytes:
        self.fed += 1
        if self.fed > 1:
            raise RuntimeError("a defect")
        return b": first\n\n"

    def error(self, error: Any, request_id: str) -> bytes:
        return bytes(self._real.error(error, request_id))


def test_a_whole_stream(make: Make) -> None:
    bench = make()
    chunks = openai_chunks("a", "b", "c")
    bench.says("oa", openai_stream(*chunks))
    reply = bench.ask(stream=True)
    assert bench.count(Column.STREAMS_OPEN) == bench.count(Column.IN_FLIGHT) == 1
    assert not bench.records()
    body = b"".join(reply.body)
    assert body == b"".join(c for c in chunks if b'"usage"' not in c), "usage was not asked for"
    (record,) = bench.records()
    assert (record.status, record.in_tok, record.out_tok) == (200, 10, 3)
    assert record.cost_nano == 10 * 1000 + 3 * 2000
    assert record.bytes_out == len(body)
    assert record.flags & Flag.STREAM and not record.flags & (Flag.ERROR | Flag.ESTIMATED)
    reply.body.close()  # type: ignore[union-attr]
    reply.body.close()  # type: ignore[union-attr]
    assert not bench.records(), "one record a request"
    assert bench.count(Column.STREAMS) == 1


def test_usage_is_told_to_those_who_asked(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream())
    _, body = bench.whole(stream=True, stream_options={"include_usage": True})
    assert body == b"".join(openai_chunks("hi", " you"))


def test_closed_before_the_first_chunk(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream())
    reply = bench.ask(stream=True)
    reply.body.close()  # type: ignore[union-attr]
    (record,) = bench.records()
    assert record.status == 499 and record.flags & Flag.CLIENT_GONE
    assert record.in_tok >= 1 and record.cost_nano > 0, "the prompt was paid for"
    with pytest.raises(StopIteration):
        while True:
            next(reply.body)  # type: ignore[arg-type]
    assert not bench.records()


def test_closed_in_the_middle_is_billed_and_not_kept(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream(*openai_chunks(*["four"] * 10)))
    reply = bench.ask(stream=True, temperature=0)
    for _ in range(6):
        next(reply.body)  # type: ignore[arg-type]
    reply.body.close()  # type: ignore[union-attr]
    (record,) = bench.records()
    assert record.status == 499 and record.flags & Flag.ESTIMATED
    assert record.out_tok == 5 and record.cost_nano == record.in_tok * 1000 + 5 * 2000
    bench.says("oa", openai_whole())
    assert header(bench.whole(temperature=0)[0], "x-pihub-cache").startswith("MISS")


def test_closed_right_behind_its_last_byte_is_whole(make: Make) -> None:
    bench = make()
    chunks = openai_chunks("a")
    bench.says("oa", openai_stream(*chunks))
    reply = bench.ask(stream=True, temperature=0)
    while not next(reply.body).endswith(b"[DONE]\n\n"):  # type: ignore[arg-type]
        pass
    reply.body.close()  # type: ignore[union-attr]
    (record,) = bench.records()
    assert record.status == 200 and not record.flags & Flag.CLIENT_GONE
    assert header(bench.whole(temperature=0)[0], "x-pihub-cache").startswith("HIT")


@pytest.mark.parametrize(
    ("failure", "word", "status"),
    [
        (UpstreamIncomplete("cut"), "upstream_incomplete", 502),
        (UpstreamTimeout("late", timer="idle"), "upstream_timeout", 504),
        (RuntimeError("a defect"), "internal_error", 500),
        (b'data: {"error":{"message":"m","type":"overloaded_error"}}\n\n', "upstream_busy", 503),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_broken_after_the_first_byte(make: Make, failure: Any, word: str, status: int) -> None:
    bench = make(chat=("oa", "an"))
    bench.says("oa", openai_stream(*openai_chunks("four" * 4)[:2], failure))
    reply, body = bench.whole(stream=True, temperature=0)
    assert reply.status == 200
    last = json.loads(body.rstrip().rsplit(b"data: ", 1)[1])
    assert last["error"]["code"] == word and b"[DONE]" not in body
    assert b"defect" not in body
    (record,) = bench.records()
    assert (record.status, bench.name(record.error)) == (status, word)
    assert record.out_tok == 4 and record.cost_nano > 0
    assert bench.health("oa") == (0, 1), "counted once"
    assert bench.connector.hosts == ["oa"], "no second answer behind a begun one"
    bench.says("oa", openai_stream())
    assert header(bench.whole(stream=True, temperature=0)[0], "x-pihub-cache").startswith("MISS")


def test_a_client_that_leaves_while_the_upstream_is_awaited(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream(*openai_chunks("four")[:2], ClientGone("left")))
    _, body = bench.whole(stream=True)
    assert b"error" not in body
    (record,) = bench.records()
    assert record.status == 499 and bench.health("oa") == (0, 0)


@pytest.mark.parametrize("client", ["anthropic", "ollama"])
def test_a_renderer_with_a_defect(make: Make, client: str) -> None:
    bench = make()
    real = bench.clients[client]
    renderer = real.renderer
    real.renderer = lambda ask: Broken(renderer(ask))  # type: ignore[method-assign, assignment, return-value]
    bench.says("oa", openai_stream())
    more = {"max_tokens": 9} if client == "anthropic" else {}
    _, body = bench.whole(client, stream=True, **more)
    assert b": first" in body and b"error" in body.splitlines()[-1] + body.splitlines()[-2]
    assert b"defect" not in body
    (record,) = bench.records()
    assert (record.status, bench.name(record.error)) == (500, "internal_error")
    assert not record.flags & Flag.CLIENT_GONE
    assert record.out_tok >= 1


def test_anthropic_s_first_word_on_usage_is_not_its_last(make: Make) -> None:
    bench = make(chat=("an",))
    bench.says("an", FakeResponse(*anthropic_chunks("four" * 10)[:3], kind=SSE))
    bench.whole("anthropic", stream=True, max_tokens=100)
    (record,) = bench.records()
    assert (record.in_tok, record.out_tok) == (10, 10)
    assert record.cost_nano == 10 * 1000 + 10 * 5000


def test_an_end_without_a_marker_is_told(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream(*openai_chunks("a")[:2]))
    _, body = bench.whole(stream=True)
    assert b"upstream_incomplete" in body


def test_a_large_stream_is_kept_as_an_answer_only_within_the_bound(make: Make) -> None:
    for size, state in ((900, "HIT"), (1100, "MISS")):
        bench = make(max_value=1000)
        # In pieces its rendered form is far above the bound either way.
        bench.says("oa", openai_stream(*openai_chunks(*["x" * 10] * (size // 10))))
        bench.whole(stream=True, temperature=0)
        bench.says("oa", openai_whole())
        assert header(bench.whole(temperature=0)[0], "x-pihub-cache").startswith(state)
        assert bench.count(Column.CACHE_REFUSED) == (state == "MISS")


def test_a_server_that_cannot_start_the_response_frees_the_stream(make: Make) -> None:
    from pihub.http.data.chat import ChatEndpoint

    bench = make()
    bench.says("oa", openai_stream())
    asked = bench.incoming(stream=True)
    endpoint = ChatEndpoint(asked.client, asked.route, bench.pipeline, bench.waiter)
    env = {
        "pihub.principal": (3, 1, 0),
        "pihub.body": asked.body,
        "pihub.rid": 1,
        "pihub.rid_hex": "01",
        "pihub.t0": asked.t0_ns,
    }

    def refuse(status: str, headers: Any) -> None:
        raise ValueError("a header that cannot be sent")

    with pytest.raises(ValueError, match="cannot be sent"):
        endpoint(env, refuse)
    (record,) = bench.records()
    assert record.status == 499


def test_followers_replay_what_the_leader_streamed(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream())
    bench.whole(stream=True, temperature=0)
    reply, body = bench.whole("ollama", options={"temperature": 0}, model="chat")
    assert header(reply, "x-pihub-cache") == "HIT; canonical"
    assert json.loads(body.splitlines()[-1])["done"] is True
    first, hit = bench.records()
    assert (first.cache, hit.cache) == (CacheState.MISS, CacheState.HIT)
    assert (hit.cost_nano, hit.saved_nano) == (0, first.cost_nano)
