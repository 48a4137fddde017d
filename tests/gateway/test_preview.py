"""What the router would do: the same order and reason as it gives a real request."""

from __future__ import annotations

import pytest

from pihub.errors import ModelNotFound
from pihub.gateway.plan import Rules
from pihub.gateway.preview import POLICIES, Previewer
from pihub.shared.difficulty import load
from tests.gateway.parts import anthropic_whole, header
from tests.gateway.routed import RoutedBench, ollama_says

EASY = "What is the capital of France?"
HARD = (
    "Prove that there are infinitely many primes p such that p + 2 has at most two prime "
    "factors, and give all steps of the argument with the constants."
)


def routed(policy: str = "chain") -> RoutedBench:
    """A local model, then one of the cloud."""
    bench = RoutedBench({"chat": Rules(policy=policy)}, chat=("ol", "an"))
    bench.says("ol", lambda: ollama_says())
    bench.says("an", lambda: anthropic_whole("from above"))
    return bench


def previewer(bench: RoutedBench, **states: str) -> Previewer:
    told = {name: {"state": state} for name, state in states.items()}
    return Previewer(bench.models, bench.planner, lambda: told, load)


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"weighted"}))
@pytest.mark.parametrize("text", [EASY, HARD])
def test_it_is_what_a_request_gets(policy: str, text: str) -> None:
    bench = routed(policy)
    bench.knows("ol")
    found = previewer(bench)("chat", text)
    assert previewer(bench)("chat:latest", text) == found
    reply, _ = bench.whole(text=text)
    assert found.options[0].target == header(reply, "x-pihub-route")
    # Of a real request the time is predicted from all of its bytes.
    assert found.reason.split(":")[0] == (header(reply, "x-pihub-reason") or "").split(":")[0]
    assert POLICIES[policy] in found.text


def test_the_words_tell_how_hard_a_prompt_is_and_who_rests() -> None:
    bench = routed("difficulty")
    easy, hard = previewer(bench)("chat", EASY), previewer(bench, an="open")("chat", HARD)
    assert (easy.hard, hard.hard) == (False, True)
    assert "counts as easy" in easy.text and f"So {easy.options[0].target} answers" in easy.text
    strong = hard.options[0].target
    assert f"{strong} rests after failures." in hard.text
    assert f"So {hard.options[1].target} answers" in hard.text
    assert hard.difficulty.causes


def test_nobody_is_called_and_nothing_is_counted() -> None:
    bench = routed("difficulty")
    previewer(bench)("chat", HARD, 100)
    assert bench.connector.calls == []
    assert bench.records() == []


def test_when_all_rest_nobody_can_answer() -> None:
    found = previewer(routed(), ol="open", oa="open", an="open")("chat", EASY)
    assert "nobody can answer" in found.text


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ModelNotFound, match="nosuch"):
        previewer(routed())("nosuch", EASY)
