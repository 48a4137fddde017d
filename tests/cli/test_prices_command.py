"""`pihub prices`: the table in force, what is missing, what a file would change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pihub.cli import exits
from tests.cli.conftest import pihub

CONFIG = """
[store]
url = "sqlite:///{folder}/data/pihub.db"
[upstreams.cloud]
kind = "openai"
url = "https://127.0.0.1:9"
[models.chat]
chain = ["cloud/gpt-5", "cloud/own-model"]
"""
OWN = """
version = "mine"
[openai."own-model"]
input = 2.50
output = 10
[openai."gpt-5"]
input = 1.00
output = 10.00
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pihub.toml").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "own.toml").write_text(OWN)
    return tmp_path


def test_the_table_in_force(folder: Path) -> None:
    rows = json.loads(pihub("prices", "--json", cwd=folder).stdout)
    haiku = next(row for row in rows if row["model"] == "anthropic/claude-haiku-4-5")
    assert (haiku["input"], haiku["cache_write_1h"], haiku["batch"]) == (1.0, 2.0, 0.5)
    assert "anthropic/claude-haiku-4-5" in pihub("prices", cwd=folder).stdout


def test_a_model_without_a_price_is_named_until_a_file_brings_one(folder: Path) -> None:
    missing = pihub("prices", "check", cwd=folder)
    assert missing.returncode == exits.FAILED
    assert "cloud/own-model" in missing.stdout and "cloud/gpt-5" not in missing.stdout
    tried = pihub("prices", "check", "own.toml", cwd=folder)
    assert tried.returncode == exits.OK
    assert "new      openai/own-model  2.5/10" in tried.stdout
    assert "changed  openai/gpt-5  1.25/10 -> 1/10" in tried.stdout
    assert pihub("prices", "check", cwd=folder).returncode == exits.FAILED, "only tried"
    assert pihub("prices", "update", "own.toml", cwd=folder).returncode == exits.OK
    assert (folder / "data" / "prices.toml").read_text() == OWN
    assert pihub("prices", "check", cwd=folder).returncode == exits.OK


def test_a_broken_file_is_refused_and_changes_nothing(folder: Path) -> None:
    (folder / "bad.toml").write_text('[openai.x]\ninput = "much"\noutput = 1\n')
    done = pihub("prices", "update", "bad.toml", cwd=folder)
    assert done.returncode != exits.OK
    assert 'openai."x".input must be a number' in done.stderr
    assert not (folder / "data" / "prices.toml").exists()


def test_what_a_request_would_cost(folder: Path) -> None:
    words = ("cost", "anthropic/claude-haiku-4-5", "--input", "2000", "--output", "500")
    assert pihub("prices", *words, cwd=folder).stdout == "0.004500000 USD\n"
    half = pihub("prices", *words, "--batch", "--json", cwd=folder)
    assert json.loads(half.stdout)["cost_nano"] == 2_250_000
    unknown = pihub("prices", "cost", "anthropic/nobody", cwd=folder)
    assert unknown.returncode != exits.OK and "no price is known" in unknown.stderr
