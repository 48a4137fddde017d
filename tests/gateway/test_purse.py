"""Budgets on the request's way: reserved, settled, refused, gone round, approved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest

from pihub.domain.budget import AtLimit, Plan
from pihub.domain.event import Reason
from pihub.gateway.purse import Purse
from pihub.shared.budgets import Budgets, Spent
from pihub.shared.spending import PlanReader, publish
from tests.gateway.parts import (
    PRICES,
    Bench,
    anthropic_whole,
    header,
    ollama_chunks,
    ollama_stream,
    openai_chunks,
    openai_stream,
    openai_whole,
    refusal,
)
from tests.gateway.test_savings import free

ANSWER = 10 * 1000 + 5 * 2000
"""What `openai_whole` costs, in nano-USD."""


class Spending:
    """A bench with budgets; `limits` by label: (day limit, what happens at it)."""

    def __init__(
        self,
        limits: Mapping[str, tuple[int, AtLimit]],
        *,
        users: Mapping[int, str] = {},
        block: bool = False,
        **chains: list[str],
    ) -> None:
        self.bench = b = Bench(prices=free(), **chains)
        self.budgets = Budgets(b.state.budgets, b.slot, b.state.arena.secret)
        b.state.budgets.begin(b.slot, 1)
        self.purse = Purse(self.budgets, PlanReader(b.state.spending), free())
        b.call._purse = self.purse
        b.pipeline._last = (self.purse.settle, *b.pipeline._last)
        for label, (day, mode) in limits.items():
            scope, _, name = label.partition(":")
            soft = day * 80 // 100 if mode == "downgrade" else 0
            assert self.budgets.limit(scope, name, day=day, soft_day=soft)
        plan = Plan({label: mode for label, (_, mode) in limits.items()}, dict(users), block)
        publish(b.state.spending, plan)

    def spent(self, label: str) -> Spent:
        scope, _, name = label.partition(":")
        found = self.budgets.state(scope, name, self.purse.window())
        assert found is not None
        return found


def test_what_was_reserved_is_settled_with_the_true_cost() -> None:
    s = Spending({"key:3": (10**9, "refuse"), "hub": (10**9, "refuse")})
    s.bench.says("oa", openai_whole())
    reply, _ = s.bench.whole(max_tokens=100)
    assert reply.status == 200
    for label in ("key:3", "hub"):
        assert (s.spent(label).day, s.spent(label).month) == (ANSWER, ANSWER)
        assert s.spent(label).reserved == 0
    (record,) = s.bench.records()
    assert record.cost_nano == ANSWER, "counter and ledger are one number"


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_a_request_that_may_cost_too_much_is_refused_before_it_is_sent(client: str) -> None:
    s = Spending({"tenant:1": (1_000_000, "refuse")}, chat=["oa"])
    reply, body = s.bench.whole(client, max_tokens=100_000, options={"num_predict": 100_000})
    assert reply.status == 402
    assert "tenant" in body.decode() and not s.bench.connector.calls
    assert s.spent("tenant:1").reserved == 0 and s.spent("tenant:1").day == 0
    if client == "openai":
        assert json.loads(body)["error"]["code"] == "budget_exceeded"
    if client == "anthropic":
        assert json.loads(body)["error"]["type"] == "billing_error"


def test_a_small_answer_still_fits() -> None:
    s = Spending({"tenant:1": (1_000_000, "refuse")})
    s.bench.says("oa", openai_whole())
    assert s.bench.whole(max_tokens=50)[0].status == 200


def test_at_its_limit_a_budget_that_downgrades_leaves_the_free_model() -> None:
    s = Spending({"key:3": (1000, "downgrade")}, chat=["oa", "ol"])
    s.bench.says("ol", ollama_stream(*ollama_chunks("lo", "cal")))
    reply, _ = s.bench.whole(max_tokens=100)
    assert reply.status == 200
    assert header(reply, "x-pihub-route") == "ol/llama"
    assert "budget_exceeded" in header(reply, "x-pihub-reason")
    (record,) = s.bench.records()
    assert record.reason == Reason.BUDGET_DOWNGRADE
    assert not s.bench.health("oa")[1], "no failure of the upstream"


def test_near_its_limit_only_what_is_cheaper_is_called() -> None:
    # 80 % of 10 USD is spent: the dearer model is passed over, the cheaper one still pays.
    s = Spending({"key:3": (10**10, "downgrade")}, chat=["an", "oa"])
    rows = s.budgets.of([("key", "3")])
    s.budgets.correct(rows, 8 * 10**9, s.purse.window())
    s.bench.says("oa", openai_whole())
    reply, _ = s.bench.whole(max_tokens=100)
    assert header(reply, "x-pihub-route") == "oa/gpt"
    assert s.spent("key:3").day == 8 * 10**9 + ANSWER
    # Nothing cheaper follows: it is called, since the limit itself has room.
    s.bench.says("oa", openai_whole())
    assert s.bench.whole(model="oa/gpt", max_tokens=100)[0].status == 200


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_ask_says_what_it_costs_and_who_can_help(client: str) -> None:
    s = Spending({"user:ann": (1000, "ask")}, users={3: "ann"}, chat=["oa"])
    more = {"options": {"num_predict": 100}} if client == "ollama" else {"max_tokens": 100}
    reply, body = s.bench.whole(client, **more)
    assert reply.status == 402 and not s.bench.connector.calls
    said = body.decode()
    assert "budget of the user" in said and "pihub budgets approve" in said
    found = re.search(r"up to ([0-9.]+) USD", said)
    # What is asked for is what would be reserved: approved, it goes through.
    assert found is not None
    assert s.budgets.limit("user", "ann", day=round(float(found[1]) * 1e9))
    s.bench.says("oa", openai_whole())
    assert s.bench.whole(client, **more)[0].status == 200


def test_nobody_can_approve_the_hub_s_own_limit() -> None:
    s = Spending({"hub": (1000, "ask")}, chat=["oa"])
    reply, body = s.bench.whole(max_tokens=100)
    assert reply.status == 402 and b"[money]" in body and b"budgets approve" not in body


def test_free_models_need_no_money() -> None:
    s = Spending({"hub": (1, "refuse")}, chat=["ol"])
    s.bench.says("ol", ollama_stream(*ollama_chunks("a")))
    assert s.bench.whole()[0].status == 200
    assert s.spent("hub").day == 0


def test_a_failed_call_frees_what_it_held_for_the_next_one() -> None:
    s = Spending({"hub": (10**9, "refuse")}, chat=["an", "oa"])
    s.bench.says("an", refusal(500)())
    s.bench.says("oa", openai_whole())
    assert s.bench.whole(max_tokens=100)[0].status == 200
    assert s.spent("hub") == s.spent("hub")._replace(day=ANSWER, reserved=0)


def test_when_no_free_model_answers_the_client_learns_that_it_is_the_money() -> None:
    s = Spending({"hub": (1000, "downgrade")}, chat=["oa", "ol"])
    s.bench.says("ol", refusal(500)())
    reply, body = s.bench.whole(max_tokens=100)
    assert reply.status == 402 and b"ol/llama" in body


def test_an_interrupted_stream_settles_what_was_received() -> None:
    s = Spending({"hub": (10**9, "refuse")})
    s.bench.says("oa", openai_stream(*openai_chunks("one", "two", "three")[:3]))
    reply = s.bench.ask(stream=True, max_tokens=1000)
    iterator = iter(reply.body)  # type: ignore[arg-type]
    next(iterator)
    assert s.spent("hub").reserved > 0
    reply.body.close()  # type: ignore[union-attr]
    (record,) = s.bench.records()
    assert record.cost_nano > 0
    assert (s.spent("hub").day, s.spent("hub").reserved) == (record.cost_nano, 0)


def test_a_hit_costs_nothing() -> None:
    s = Spending({"hub": (10**9, "refuse")})
    s.bench.says("oa", openai_whole())
    s.bench.whole(temperature=0, max_tokens=100)
    before = s.spent("hub")
    s.bench.whole(temperature=0, max_tokens=100)
    assert s.spent("hub") == before and len(s.bench.connector.calls) == 1


def test_models_without_a_price_are_blocked_if_the_owner_says_so() -> None:
    s = Spending({}, block=True, chat=["oa/unknown"])
    reply, body = s.bench.whole()
    assert reply.status == 402 and b"money.unknown_price" in body
    assert ("openai", "unknown") not in PRICES and not s.bench.connector.calls


def test_other_keys_and_tenants_are_not_touched() -> None:
    s = Spending({"key:99": (1, "refuse"), "tenant:7": (1, "refuse"), "model:x": (1, "refuse")})
    s.bench.says("oa", openai_whole())
    assert s.bench.whole(max_tokens=100)[0].status == 200
    assert s.spent("key:99").day == s.spent("tenant:7").day == 0


def test_without_budgets_nothing_is_asked() -> None:
    s = Spending({})
    assert s.purse.open_for(s.bench.target("oa"))
    s = Spending({"hub": (1, "refuse")})
    assert not s.purse.open_for(s.bench.target("oa")) and s.purse.open_for(s.bench.target("ol"))


def test_anthropic_answers_are_settled_too() -> None:
    s = Spending({"model:claude": (10**9, "refuse")}, chat=["an"])
    s.bench.says("an", anthropic_whole())
    assert s.bench.whole("anthropic", max_tokens=64)[0].status == 200
    (record,) = s.bench.records()
    assert s.spent("model:claude").day == record.cost_nano > 0
