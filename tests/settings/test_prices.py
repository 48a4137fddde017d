"""The price table that ships, and the owner's file on top of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.domain.chat import Usage
from pihub.errors import ConfigError
from pihub.settings.prices import builtin_prices, load_prices, parse_prices


def test_the_builtin_table_knows_the_models_of_the_documentation() -> None:
    table = builtin_prices()
    assert table.version
    for model in (
        "claude-haiku-4-5",
        "claude-sonnet-4-5",
        "claude-opus-4-5",
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "claude-fable-5-2",
    ):
        price = table.find("anthropic", model)
        assert price is not None and not price.free, model
        assert price.rates.output > price.rates.input > price.rates.cache_read > 0
        assert price.rates.cache_write_5m * 8 == price.rates.input * 10
        assert price.rates.cache_write_1h == price.rates.input * 2


def test_list_prices_to_the_last_digit() -> None:
    table = builtin_prices()
    million = Usage(input=1_000_000)
    assert table.cost("anthropic", "claude-haiku-4-5-20251001", million) == 1_000_000_000
    assert table.cost("anthropic", "claude-sonnet-5-5", Usage(cache_read=1_000_000)) == 100_000_000
    assert table.cost("anthropic", "claude-haiku-5-5", Usage(input=100_000)) == 10_000_000
    assert table.cost("anthropic", "claude-haiku-5-5", Usage(input=100_001)) == 50_000_500
    assert table.cost("openai", "gpt-5.4-mini", Usage(cache_read=1)) == 75


def test_local_models_are_free_by_statement_others_are_unknown() -> None:
    table = builtin_prices()
    assert table.cost("ollama", "whatever:7b", Usage(input=10**9, output=10**9)) == 0
    assert table.cost_or_none("anthropic", "claude-99", Usage(input=1)) is None
    assert table.cost_or_none("openai", "llama3", Usage(input=1)) is None


def test_an_owners_file_extends_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'version = "mine"\n'
        '[openai."local-vllm"]\ninput = 0.01\noutput = 0.02\n'
        '[anthropic."claude-haiku-4-5"]\ninput = 0.9\noutput = 4.5\n'
        "[anthropic.defaults]\ncache_read = 0.2\n"
    )
    table = load_prices(str(path))
    assert table.version.endswith("+mine")
    assert table.cost("openai", "local-vllm", Usage(input=1, cache_write_1h=1)) == 20
    haiku = table.find("anthropic", "claude-haiku-4-5")
    assert haiku is not None and haiku.rates.cache_read == 180_000
    assert table.find("anthropic", "claude-opus-4-5") is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "f.toml"),
        ("[gemini.x]\ninput=1\noutput=1", "gemini"),
        ("[openai.x]\ninput=1", "output is missing"),
        ("[openai.x]\ninput=1\noutput=1\nouput=2", "ouput"),
        ("[openai.x]\ninput=-1\noutput=1", "between 0"),
        ('[openai.x]\ninput="1"\noutput=1', "must be a number"),
        ("[openai.x]\ninput=nan\noutput=1", "between 0"),
        ("[openai.x]\ninput=true\noutput=1", "must be a number"),
        ("[openai.x]\ninput=0.00000001\noutput=1", "finer"),
        ("[openai.x]\ninput=1\noutput=1\nlong={above=0,input=1,output=1}", "above"),
        ("[openai.x]\ninput=1\noutput=1\nlong={above=5}", "input is missing"),
        ("[openai]\nx=1", "must be a table"),
        ("version=1", "version"),
    ],
)
def test_a_bad_file_says_where(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_prices(text, "f.toml")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="prices_file"):
        load_prices(str(tmp_path / "none.toml"))


def test_images_and_deferred_requests_have_prices_of_their_own() -> None:
    text = """
[anthropic.defaults]
batch = 0.5
[anthropic.a]
input = 1
output = 2
image = 0.002
[anthropic.b]
input = 1
output = 2
batch = 0.25
"""
    table = parse_prices(text, "t")
    usage = Usage(input=1000, output=100)
    assert table.cost("anthropic", "a", usage) == 1_200_000
    assert table.cost("anthropic", "a", usage, batch=True) == 600_000
    assert table.cost("anthropic", "a", usage, images=3) == 1_200_000 + 3 * 2_000_000
    assert table.cost("anthropic", "b", usage, batch=True) == 300_000


@pytest.mark.parametrize("batch", ["1.5", "-1", "0.00001", '"half"'])
def test_a_batch_factor_is_between_nothing_and_one(batch: str) -> None:
    with pytest.raises(ConfigError, match="batch"):
        parse_prices(f"[openai.a]\ninput = 1\noutput = 1\nbatch = {batch}\n", "t")
