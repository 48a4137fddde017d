"""The chain: what moves on, what is tried again, what the client is told in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pihub.errors import (
    ClientGone,
    Overloaded,
    UpstreamBusy,
    UpstreamIncomplete,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.shared.events import Flag
from pihub.shared.metrics import Column
from tests.gateway.parts import (
    Bench,
    FakeResponse,
    anthropic_chunks,
    anthropic_whole,
    asking,
    header,
    ollama_chunks,
    ollama_stream,
    openai_stream,
    openai_whole,
    refusal,
)

Make = Callable[..., Bench]


def code(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (UpstreamUnreachable("no"), "upstream_unreachable"),
        (UpstreamTimeout("late", timer="headers"), "upstream_timeout"),
        (refusal(500), "upstream_error"),
        (refusal(429), "upstream_busy"),
        (refusal(400), "upstream_rejected"),
        (refusal(404), "upstream_rejected"),
        (refusal(302), "upstream_protocol"),
        (lambda: FakeResponse(b"<html>", kind="text/html"), "upstream_protocol"),
        (lambda: FakeResponse(b'{"error":{"message":"x"}}'), "upstream_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_failure_before_the_first_byte_moves_on(make: Make, failure: Any, word: str) -> None:
    bench = make(chat=("oa", "an"))
    bench.says("oa", failure)
    bench.says("an", anthropic_whole())
    reply, body = bench.whole()
    assert reply.status == 200 and json.loads(body)["choices"][0]["message"]["content"] == "hi"
    assert header(reply, "x-pihub-route") == "an/claude"
    assert header(reply, "x-pihub-reason") == f"fallback after oa/gpt: {word}"
    assert bench.count(Column.FALLBACKS) == 1
    (record,) = bench.records()
    assert (record.status, record.attempts, bench.name(record.upstream)) == (200, 2, "an")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_of_the_request_itself_is_the_client_s(make: Make, status: int) -> None:
    bench = make()
    bench.says("oa", refusal(status, b'{"error":{"message":"secret words of the vendor"}}'))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (400, "request_rejected")
    said = json.loads(body)["error"]["message"]
    assert said.startswith(f"the upstream refused the request ({status}): the hub's log")
    assert b"secret" not in body
    assert bench.health("oa") == (1, 0), "a refusal says nothing against the upstream"
    (record,) = bench.records()
    assert (record.status, bench.name(record.error)) == (400, "request_rejected")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_hub_got_wrong_is_no_fault_of_the_client(make: Make, status: int) -> None:
    bench = make()
    bench.says("oa", refusal(status))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (502, "upstream_rejected")
    assert bench.health("oa") == ((1, 0) if status == 404 else (0, 1))


def test_a_translated_request_that_is_refused_is_the_hub_s_fault(make: Make) -> None:
    bench = make(chat=("an",))
    bench.says("an", refusal(400))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (502, "upstream_rejected")


def test_other_targets_are_tried_before_a_refusal_is_believed(make: Make) -> None:
    bench = make(chat=("oa", "an"), last=("an", "oa"))
    bench.says("oa", refusal(400))
    bench.says("an", anthropic_whole(), refusal(500))
    assert bench.whole()[0].status == 200
    reply, body = bench.whole(model="last")
    assert (reply.status, code(body)) == (400, "request_rejected")
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (502, "chain_exhausted")
    assert bench.connector.hosts == ["oa", "an", "an", "oa", "oa", "an"]


def test_one_failure_counts_once_wherever_it_was_noticed(make: Make) -> None:
    cut = UpstreamIncomplete("cut")
    bench = make(chat=("ol",))
    bench.says("ol", ollama_stream(*ollama_chunks("a", done=False), cut))
    assert bench.whole()[0].status == 502
    assert bench.health("ol") == (0, 1)
    bench.says("ol", ollama_stream(UpstreamTimeout("late", timer="idle")))
    assert bench.whole()[0].status == 504
    assert bench.health("ol") == (0, 2)
    bench.says("ol", ollama_stream())
    assert bench.whole()[0].status == 200
    assert bench.health("ol") == (1, 2)


def test_an_open_breaker_is_not_called_and_says_when(make: Make) -> None:
    bench = make(chat=("oa", "an"), one=("oa",), failures=1)
    bench.says("oa", refusal(500))
    bench.says("an", refusal(500))
    assert bench.whole()[0].status == 502
    calls = len(bench.connector.calls)
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (502, "chain_exhausted")
    assert 1 <= int(header(reply, "retry-after")) <= 10
    reply, body = bench.whole(model="one")
    assert (reply.status, code(body)) == (503, "breaker_open")
    assert 1 <= int(header(reply, "retry-after")) <= 10
    assert len(bench.connector.calls) == calls
    assert [record.attempts for record in bench.records()] == [2, 0, 0]


def test_what_cannot_be_sent_does_not_use_up_the_probe(make: Make) -> None:
    bench = make(chat=("an",), failures=1, open_seconds=0.001)
    bench.says("an", refusal(500), anthropic_whole())
    assert bench.whole()[0].status == 502
    configured = bench.state.breakers
    configured.configure(bench.rows["an"], 1, 60_000, 60_000, 60_000)
    while bench.links["an"].health.retry_in():
        pass  # a millisecond, until the probe may pass
    reply, body = bench.whole(body=asking(n=2))
    assert (reply.status, code(body)) == (400, "unsupported")
    assert bench.whole()[0].status == 200, "the probe was used up by a request never sent"


def test_unsupported_moves_on_and_is_the_client_s_if_nobody_can(make: Make) -> None:
    bench = make(chat=("an", "oa"), none=("an", "ol"))
    bench.says("oa", openai_whole())
    reply, _ = bench.whole(body=asking(n=2))
    assert header(reply, "x-pihub-reason") == "fallback after an/claude: unsupported"
    reply, body = bench.whole(body=asking(n=2, model="none"))
    assert (reply.status, code(body)) == (400, "unsupported")
    assert bench.connector.hosts == ["oa"]


def test_a_stream_that_cannot_be_read_is_refused_before_it_costs(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream())
    reply, body = bench.whole(body=asking(stream=True, messages="none"))
    assert (reply.status, code(body)) == (400, "bad_request")
    assert not bench.connector.calls


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize("host", ["oa", "an", "ol"])
def test_every_call_says_that_its_body_is_json(make: Make, client: str, host: str) -> None:
    bench = make(chat=(host,))
    said = {"oa": openai_whole(), "an": anthropic_whole(), "ol": ollama_stream()}
    bench.says(host, said[host])
    more = {"stream": False, "max_tokens": 9} if client == "anthropic" else {"stream": False}
    assert bench.whole(client, **more)[0].status == 200
    _, _, headers, _ = bench.connector.calls[0]
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer upstream-secret"
    assert ("anthropic-version" in headers) == (host == "an")


def test_notes_of_a_target_that_failed_are_not_the_answer_s(make: Make) -> None:
    bench = make(chat=("ol", "oa"))
    bench.says("ol", refusal(500), ollama_stream())
    bench.says("oa", openai_whole())
    body = asking(service_tier="flex")
    reply, _ = bench.whole(body=body)
    assert "x-pihub-warning" not in dict(reply.headers)
    reply, _ = bench.whole(body=body)
    assert header(reply, "x-pihub-warning") == "dropped: service_tier"


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_a_long_or_cut_error_body_keeps_its_status(make: Make, size: int) -> None:
    bench = make()
    parts = [b"x" * 50_000] * (size // 50_000) or [b"x", UpstreamIncomplete("cut")]
    bench.says("oa", FakeResponse(*parts, status=429, headers=[("retry-after", "7")]))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (503, "upstream_busy")
    assert header(reply, "retry-after") == "7"
    assert len(parts) == 2 or len(bench.connector.given[0].chunks) > 15, "not all of it is read"


def test_an_upstream_that_ignores_stream_is_still_streamed(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_whole("all of it"))
    reply, body = bench.whole(stream=True)
    assert header(reply, "content-type") == "text/event-stream"
    assert b"all of it" in body and body.endswith(b"data: [DONE]\n\n")


def test_the_hub_s_own_limit_ends_the_chain(make: Make) -> None:
    bench = make(chat=("oa", "an"))
    bench.says("oa", Overloaded("no descriptors", retry_after=1))
    assert bench.whole()[0].status == 503
    assert bench.connector.hosts == ["oa"]
    assert bench.health("oa") == (0, 0)


# ---- retries -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [UpstreamUnreachable("no"), refusal(429), refusal(500), refusal(503)]
)
def test_the_same_target_is_tried_again(make: Make, failure: Any) -> None:
    bench = make(retries=2)
    bench.says("oa", failure, failure, openai_whole())
    reply, _ = bench.whole()
    assert reply.status == 200
    assert header(reply, "x-pihub-reason") == "first choice"
    assert len(bench.waiter.slept) == 2
    assert 0.05 <= bench.waiter.slept[0] <= 0.1 and 0.1 <= bench.waiter.slept[1] <= 0.2
    assert [record.attempts for record in bench.records()] == [3]
    assert bench.health("oa") == (1, 2)


@pytest.mark.parametrize(
    "failure",
    [
        refusal(400),
        refusal(401),
        UpstreamTimeout("late", timer="first_byte"),
        UpstreamIncomplete("cut"),
        refusal(503, retry_after="3"),
    ],
)
def test_what_would_not_help_is_not_tried_again(make: Make, failure: Any) -> None:
    bench = make(chat=("oa", "an"), retries=5)
    bench.says("oa", failure)
    bench.says("an", anthropic_whole())
    assert bench.whole()[0].status == 200
    assert bench.connector.hosts == ["oa", "an"] and not bench.waiter.slept


def test_retries_are_bounded_and_off_by_default(make: Make) -> None:
    for retries in (0, 1, 5):
        bench = make(retries=retries)
        bench.says("oa", UpstreamUnreachable("no"))
        assert bench.whole()[0].status == 502
        assert len(bench.connector.calls) == retries + 1
        assert all(pause <= 2 for pause in bench.waiter.slept)


def test_a_short_retry_after_is_waited_for(make: Make) -> None:
    bench = make(retries=1)
    bench.says("oa", refusal(503, retry_after="2"), openai_whole())
    assert bench.whole()[0].status == 200
    assert bench.waiter.slept == [2.0]


def test_a_breaker_that_opens_ends_the_retries_with_their_reason(make: Make) -> None:
    bench = make(retries=5, failures=2)
    bench.says("oa", UpstreamUnreachable("no"))
    _, body = bench.whole()
    assert code(body) == "upstream_unreachable"
    assert len(bench.connector.calls) == 2


def test_a_client_that_leaves_ends_the_retries(make: Make) -> None:
    bench = make(chat=("oa", "an"), retries=5)
    bench.says("oa", UpstreamBusy("busy"))
    bench.waiter.gone = True
    assert bench.whole()[0].status == 499
    assert bench.connector.hosts == ["oa"]
    (record,) = bench.records()
    assert record.status == 499 and record.flags & Flag.CLIENT_GONE


def test_no_retry_after_the_first_byte(make: Make) -> None:
    bench = make(chat=("ol",), retries=5)
    bench.says("ol", ollama_stream(*ollama_chunks("a", done=False), UpstreamBusy("busy")))
    assert bench.whole()[0].status == 503
    assert len(bench.connector.calls) == 1


# ---- money of what nobody sees -------------------------------------------------------


def test_what_a_failed_target_wrote_is_paid_for(make: Make) -> None:
    bench = make(chat=("ol", "oa"))
    wrote = ollama_chunks("four" * 10, done=False)  # about 10 tokens at 1000 nano-USD
    bench.says("ol", ollama_stream(*wrote, UpstreamIncomplete("cut")))
    bench.says("oa", openai_whole())
    reply, _ = bench.whole(temperature=0)
    assert header(reply, "x-pihub-cost") == "0.00003"
    (record,) = bench.records()
    assert record.cost_nano == 10 * 1000 + 5 * 2000 + 10 * 1000
    assert (record.in_tok, record.out_tok) == (10, 5), "the tokens are the answer's own"
    assert record.flags & Flag.ESTIMATED
    assert bench.count(Column.COST_NANO) == record.cost_nano
    bench.whole(temperature=0)
    (hit,) = bench.records()
    assert (hit.cost_nano, hit.saved_nano) == (0, 20_000), "a hit saves the answer's own cost"


@pytest.mark.parametrize("end", [UpstreamIncomplete("cut"), ClientGone("left")])
def test_what_was_written_for_nothing_is_paid_for(make: Make, end: Exception) -> None:
    bench = make(chat=("ol",))
    bench.says("ol", ollama_stream(*ollama_chunks("four" * 10, done=False), end))
    assert bench.whole()[0].status == (499 if isinstance(end, ClientGone) else 502)
    (record,) = bench.records()
    assert (record.cost_nano, record.out_tok) == (10_000, 10)
    assert bench.count(Column.COST_NANO) == 10_000


def test_anthropic_streams_to_others(make: Make) -> None:
    bench = make(chat=("an",))
    bench.says("an", FakeResponse(*anthropic_chunks("hi", " you"), kind="text/event-stream"))
    _, body = bench.whole("ollama", stream=True)
    assert json.loads(body.splitlines()[-1])["done"] is True
