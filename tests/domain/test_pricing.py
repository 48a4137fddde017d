"""Costs are integers, exact, monotonic, and never zero where money was spent."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.chat import Usage
from pihub.domain.pricing import ANY, Price, PriceTable, Rates, UnknownPrice, base_id, cost

counts = st.integers(0, 2**32)
usages = st.builds(
    Usage,
    input=counts,
    output=counts,
    cache_read=counts,
    cache_write_5m=counts,
    cache_write_1h=counts,
)
rate = st.integers(0, 10**9)
rates = st.builds(
    Rates, input=rate, output=rate, cache_read=rate, cache_write_5m=rate, cache_write_1h=rate
)
HAIKU = Price(
    rates=Rates(
        input=1_000_000,
        output=5_000_000,
        cache_read=100_000,
        cache_write_5m=1_250_000,
        cache_write_1h=2_000_000,
    )
)


@given(usages, rates)
def test_a_cost_is_the_exact_sum_rounded_up(usage: Usage, given_rates: Rates) -> None:
    nano = cost(usage, Price(rates=given_rates))
    exact = Fraction(
        usage.input * given_rates.input
        + usage.output * given_rates.output
        + usage.cache_read * given_rates.cache_read
        + usage.cache_write_5m * given_rates.cache_write_5m
        + usage.cache_write_1h * given_rates.cache_write_1h,
        1000,
    )
    assert isinstance(nano, int)
    assert 0 <= nano - exact < 1
    assert (nano == 0) == (exact == 0)


@given(usages, usages, rates)
def test_more_tokens_never_cost_less(one: Usage, more: Usage, given_rates: Rates) -> None:
    both = Usage(
        input=one.input + more.input,
        output=one.output + more.output,
        cache_read=one.cache_read + more.cache_read,
        cache_write_5m=one.cache_write_5m + more.cache_write_5m,
        cache_write_1h=one.cache_write_1h + more.cache_write_1h,
    )
    price = Price(rates=given_rates)
    assert cost(both, price) >= max(cost(one, price), cost(more, price))


@given(st.text(max_size=30), st.text(max_size=30), usages)
def test_an_unknown_model_has_no_cost(kind: str, model: str, usage: Usage) -> None:
    table = PriceTable({}, "none")
    with pytest.raises(UnknownPrice):
        table.cost(kind, model, usage)
    assert table.cost_or_none(kind, model, usage) is None


def test_known_amounts() -> None:
    # 1000 in, 200 out, 10 000 read, 4000 written at Haiku 4.5's list price
    usage = Usage(input=1000, output=200, cache_read=10_000, cache_write_5m=4000)
    assert cost(usage, HAIKU) == 1_000_000 + 1_000_000 + 1_000_000 + 5_000_000
    assert cost(Usage(output=1), HAIKU) == 5000
    tiny = Price(rates=Rates(input=1, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0))
    assert cost(Usage(input=1), tiny) == 1


def test_the_long_tier_counts_the_whole_prompt_and_prices_all_of_it() -> None:
    long = Rates(
        input=5_000_000, output=9_000_000, cache_read=1_000_000, cache_write_5m=0, cache_write_1h=0
    )
    price = Price(rates=HAIKU.rates, long_above=100, long_rates=long)
    assert cost(Usage(input=60, cache_read=40, output=1), price) == 60_000 + 4000 + 5000
    assert cost(Usage(input=61, cache_read=40, output=1), price) == 305_000 + 40_000 + 9000


def test_negative_counts_of_a_broken_upstream_cost_nothing_and_earn_nothing() -> None:
    assert cost(Usage(input=-5, output=1), HAIKU) == 5000


@pytest.mark.parametrize(
    ("given_id", "base"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("gpt-5.4-mini-2026-03-17", "gpt-5.4-mini"),
        ("claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("llama3.2:3b", "llama3.2:3b"),
        ("claude-haiku-4-5", "claude-haiku-4-5"),
    ],
)
def test_dates_do_not_hide_a_price(given_id: str, base: str) -> None:
    assert base_id(given_id) == base
    assert PriceTable({("k", base): HAIKU}, "v").find("k", given_id) is HAIKU


def test_the_exact_id_wins_over_the_base_and_the_base_over_any() -> None:
    other = Price(rates=Rates(input=1, output=1, cache_read=1, cache_write_5m=1, cache_write_1h=1))
    table = PriceTable({("k", "m-20260101"): other, ("k", "m"): HAIKU, ("k", ANY): other}, "v")
    assert table.find("k", "m-20260101") is other
    assert table.find("k", "m-20260202") is HAIKU
    assert table.find("k", "x") is other
    assert table.find("z", "m") is None


def test_unknown_usage_costs_nothing_only_where_nothing_costs() -> None:
    free = Price(rates=Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0))
    table = PriceTable({("ollama", ANY): free, ("anthropic", "m"): HAIKU}, "v")
    assert table.cost_or_none("ollama", "llama", None) == 0
    assert table.cost_or_none("anthropic", "m", None) is None


def test_rates_refuse_to_be_negative() -> None:
    with pytest.raises(ValueError, match="output"):
        Rates(input=0, output=-1, cache_read=0, cache_write_5m=0, cache_write_1h=0)
