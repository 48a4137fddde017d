"""What local answers cost and save: electricity, and the price of the paid model of the chain."""

from __future__ import annotations

from typing import Any

import pytest

from pihub.domain.energy import Energy
from pihub.domain.pricing import Price, PriceTable, Rates
from tests.gateway.parts import (
    PRICES,
    Bench,
    ollama_chunks,
    ollama_stream,
    openai_whole,
    refusal,
)


def free() -> PriceTable:
    none = Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0)
    return PRICES.extended(PriceTable({("ollama", "llama"): Price(rates=none)}, "free"))


ENERGY = Energy(watts=36.0, usd_per_kwh=0.1)


def test_a_local_answer_saves_what_the_paid_model_would_have_cost() -> None:
    b = Bench(prices=free(), energy=ENERGY, chat=["ol", "an"])
    b.says("ol", ollama_stream(*ollama_chunks("a", "b")))
    reply, _ = b.whole(model="chat", temperature=0)
    assert reply.status == 200
    (record,) = b.records()
    tokens = record.in_tok * 1000 + record.out_tok * 5000
    assert record.cost_nano > 0, "electricity is not free"
    assert record.saved_nano == tokens - record.cost_nano
    b.whole(model="chat", temperature=0)
    (hit,) = b.records()
    assert (hit.cost_nano, hit.saved_nano) == (0, tokens), "a hit costs nothing and saves it all"


def test_without_a_paid_model_in_the_chain_nothing_is_claimed() -> None:
    b = Bench(prices=free(), energy=ENERGY, chat=["ol"])
    b.says("ol", ollama_stream(*ollama_chunks("a", "b")))
    b.whole(model="chat", temperature=0)
    (record,) = b.records()
    assert record.cost_nano > 0 and record.saved_nano == 0


@pytest.mark.parametrize(
    ("chain", "said", "seconds"),
    [
        (("oa", "ol"), refusal(500), 60),
        (("oa", "ol"), refusal(429), 60),
        (("oa", "oa2", "ol"), refusal(500), 60),
        (("ol", "oa"), refusal(500), 1000),  # dearer help is worth as much as ever
        (("oa", "oa2"), refusal(500), 1000),
        (("ol", "oa"), None, 1000),  # nothing failed
    ],
    ids=["failed", "limited", "second", "dearer", "both-paid", "first-choice"],
)
def test_what_a_free_model_says_in_place_of_a_paid_one_is_not_kept_long(
    chain: tuple[str, ...], said: Any, seconds: int
) -> None:
    bench = Bench(prices=free(), chat=chain)
    for name in chain[:-1]:
        bench.says(name, said or ollama_stream())
    bench.says(chain[-1], ollama_stream() if chain[-1] == "ol" else openai_whole())
    assert bench.whole(temperature=0)[0].status == 200
    (record,) = bench.records()
    assert record.kept > 0
    assert record.kept_ttl == seconds
