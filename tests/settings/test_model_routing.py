"""What a model's section may say of its routing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.compose.routing import model_rules
from pihub.errors import ConfigError
from pihub.gateway.plan import Rules
from pihub.settings.load import load

UPSTREAMS = """
[upstreams.ollama]
kind = "ollama"
url = "http://127.0.0.1:11434"
[models.chat]
chain = ["ollama/a", "ollama/b"]
"""


def loaded(tmp_path: Path, text: str) -> Rules:
    file = tmp_path / "pihub.toml"
    file.write_text(UPSTREAMS + text)
    return model_rules(load(file, {}).settings)["chat"]


@pytest.mark.parametrize(
    "check", ["schema", "tools", "refusal", "empty", "cut", "logprob", "agreement"]
)
def test_every_documented_check_of_a_draft_is_accepted(tmp_path: Path, check: str) -> None:
    assert loaded(tmp_path, f'verify = ["{check}"]\n').verify == (check,)


def test_a_head_start_is_a_number_or_auto(tmp_path: Path) -> None:
    rules = loaded(tmp_path, "hedge_after_ms = 250\n")
    assert (rules.hedge_ms, rules.hedge_auto, rules.hedged) == (250, False, True)
    rules = loaded(tmp_path, 'hedge_after_ms = "auto"\n')
    assert (rules.hedge_ms, rules.hedge_auto, rules.hedged) == (None, True, True)
    assert not loaded(tmp_path, "").hedged
    for wrong in ("0", "-5", '"soon"', "true"):
        with pytest.raises(ConfigError, match="hedge_after_ms"):
            loaded(tmp_path, f"hedge_after_ms = {wrong}\n")
