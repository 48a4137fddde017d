"""`upstream/model` and its parts."""

from __future__ import annotations

import pytest

from pihub.domain.target import Target, parse_target


def test_the_model_may_hold_slashes() -> None:
    assert parse_target("vllm/meta/llama") == ("vllm", "meta/llama")
    assert Target("vllm", "openai", "meta/llama").name == "vllm/meta/llama"


@pytest.mark.parametrize("text", ["", "a", "/a", "a/", "/"])
def test_half_a_target(text: str) -> None:
    with pytest.raises(ValueError, match="upstream/model"):
        parse_target(text)
