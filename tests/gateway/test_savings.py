"""What local answers cost and save: electricity, and the price of the paid model of the chain."""

from __future__ import annotations

from pihub.domain.energy import Energy
from pihub.domain.pricing import Price, PriceTable, Rates
from tests.gateway.parts import PRICES, Bench, ollama_chunks, ollama_stream


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
