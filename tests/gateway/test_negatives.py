"""Refusals of upstreams, told again for a while: which, to whom, and how they count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from pihub.domain.event import Reason
from pihub.errors import UpstreamUnreachable
from pihub.shared.events import CacheState
from pihub.shared.metrics import Column, Route, cache_column
from tests.gateway.parts import Bench, header, openai_whole, refusal

Make = Callable[..., Bench]
KEPT = (400, 404, 410, 413, 415, 422)
NEVER = (401, 402, 403, 408, 409, 425, 429, 500, 502, 503, 504, 529)


def refused(make: Make, status: int = 400, **more: Any) -> Bench:
    """A bench whose upstream refuses with `status`, and has done so once."""
    chains = {"chat": ("oa",), "other": ("oa",)}
    bench = make(**{**chains, "negative_ttl": 30.0, **more})
    bench.says("oa", refusal(status, b'{"error": {"message": "no"}}'))
    bench.answer = bench.whole()  # type: ignore[attr-defined]
    return bench


def calls(bench: Bench) -> int:
    return len(bench.connector.calls)


@pytest.mark.parametrize("status", KEPT)
def test_a_final_refusal_is_told_again(make: Make, status: int) -> None:
    bench = refused(make, status)
    first, body = bench.answer  # type: ignore[attr-defined]
    again, same = bench.whole()
    assert calls(bench) == 1
    assert again.status == first.status >= 400
    assert json.loads(same) == json.loads(body)
    assert header(again, "x-pihub-cache") == "NEGATIVE; refused before"
    assert header(again, "x-pihub-reason") == header(first, "x-pihub-reason")


@pytest.mark.parametrize("status", NEVER)
def test_what_may_be_over_in_a_moment_is_asked_again(make: Make, status: int) -> None:
    bench = refused(make, status)
    bench.whole()
    assert calls(bench) == 2


def test_failures_are_asked_again_and_so_is_a_chain_of_which_one_may_be_over(make: Make) -> None:
    bench = make(chat=("oa", "oa2"), negative_ttl=30.0)
    bench.says("oa", UpstreamUnreachable("down"))
    bench.says("oa2", refusal(400))
    bench.whole()
    bench.whole()
    assert calls(bench) == 4
    bench.says("oa", refusal(404))
    bench.whole()
    first = calls(bench)
    reply, _ = bench.whole()
    assert calls(bench) == first, "all targets have refused"
    assert header(reply, "x-pihub-cache").startswith("NEGATIVE")


@pytest.mark.parametrize(
    "more",
    [
        {"text": "another"},
        {"model": "other"},
        {"tenant": 2},
        {"key": 4},
        {"forward": (("anthropic-beta", "x"),)},
        {"wish": "off"},
        {"once": "an-idempotency-key"},
        {"client": "anthropic", "max_tokens": 5},
    ],
    ids=lambda more: next(iter(more)),
)
def test_only_the_very_same_is_refused(make: Make, more: dict[str, Any]) -> None:
    bench = refused(make)
    bench.whole(**more)
    assert calls(bench) == 2


def test_a_policy_is_a_part_of_the_question(make: Make) -> None:
    bench = refused(make)
    request = bench.incoming()
    request.policy = "prefer-cloud"
    bench.pipeline.handle(request)
    assert calls(bench) == 2


def test_off_by_default_and_short(make: Make) -> None:
    bench = refused(make, negative_ttl=0.0)
    bench.whole()
    assert calls(bench) == 2
    bench = refused(make, negative_ttl=0.2)
    time.sleep(0.4)
    bench.says("oa", openai_whole())
    assert bench.whole()[0].status == 200


def test_how_it_counts(make: Make) -> None:
    bench = refused(make)
    bench.whole()
    first, again = bench.records()
    assert first.kept > 0 and first.kept_ttl == 30 and first.attempts == 1
    assert (again.cache, again.reason, again.attempts, again.cost_nano) == (
        CacheState.NEGATIVE, Reason.KEPT_REFUSAL, 0, 0,
    )  # fmt: skip
    assert again.status == first.status and again.error == first.error
    assert bench.count(Column.NEGATIVE) == 1
    route = int(Route.OPENAI_CHAT)
    assert bench.state.routes.total(cache_column(route, CacheState.NEGATIVE)) == 1
    assert bench.count(Column.HITS) == 0


def test_deterministic_chats_too_and_their_followers(make: Make) -> None:
    bench = refused(make)
    bench.whole(temperature=0)
    before = calls(bench)
    bench.whole(temperature=0)
    assert calls(bench) == before
    # A leader's refusal is there before its followers look.
    request = bench.incoming(temperature=0, text="led")
    bench.says("oa", refusal(400))
    bench.pipeline.handle(request)
    assert not bench.flights._led
    assert header(bench.whole(temperature=0, text="led")[0], "x-pihub-cache").startswith("NEG")


def test_a_kept_answer_is_replaced_by_no_refusal(make: Make) -> None:
    bench = make(ttl=0.1, meanwhile=100.0, negative_ttl=30.0)
    bench.says("oa", openai_whole("kept"))
    assert bench.whole(temperature=0)[0].status == 200
    time.sleep(0.2)
    bench.says("oa", refusal(404))
    bench.whole(temperature=0)
    for work in bench.waiter.spawned:
        work()
    reply, body = bench.whole(temperature=0)
    assert reply.status == 200 and b"kept" in body


def test_another_worker_and_another_configuration(make: Make) -> None:
    bench = refused(make)
    other = make(state=bench.state, slot=2, negative_ttl=30.0)
    other.says("oa", openai_whole())
    assert header(other.whole()[0], "x-pihub-cache").startswith("NEGATIVE")
    newer = make(state=bench.state, slot=2, negative_ttl=30.0, epoch=8)
    newer.says("oa", openai_whole())
    assert newer.whole()[0].status == 200


def test_a_compressed_body_has_no_key_and_is_asked(make: Make) -> None:
    bench = refused(make)
    request = bench.incoming()
    request.exact = None
    assert bench.pipeline.handle(request).status == 400
    assert calls(bench) == 2
