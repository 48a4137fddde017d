"""Policies and predictions: pure functions."""

from __future__ import annotations

from collections import Counter

import pytest

from pihub.domain import predict
from pihub.domain.predict import Figures
from pihub.domain.routing import POLICIES, Candidate, order
from pihub.domain.target import Target

SMALL = Target("pi", "ollama", "small")
LARGE = Target("pi", "ollama", "large")
HAIKU = Target("claude", "anthropic", "haiku")
OPUS = Target("claude", "anthropic", "opus")


def candidates(**ms: float) -> list[Candidate]:
    return [
        Candidate(HAIKU, False, 1_000, ms.get("haiku"), 1.0, 0),
        Candidate(SMALL, True, 0, ms.get("small"), 3.0, 1),
        Candidate(OPUS, False, 9_000, ms.get("opus"), 0.0, 2),
        Candidate(LARGE, True, 0, ms.get("large"), 0.0, 3),
    ]


def names(found: list[Candidate]) -> list[str]:
    return [one.target.model for one in found]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("chain", ["haiku", "small", "opus", "large"]),
        ("local-first", ["small", "large", "haiku", "opus"]),
        ("cheapest", ["small", "large", "haiku", "opus"]),
        ("quality", ["opus", "haiku", "large", "small"]),
        ("local-only", ["small", "large"]),
        ("cloud-only", ["haiku", "opus"]),
    ],
)
def test_order(policy: str, wanted: list[str]) -> None:
    assert names(order(policy, candidates())[0]) == wanted


def test_every_policy_keeps_or_drops_but_never_invents() -> None:
    for policy in POLICIES:
        found = order(policy, candidates(), roll=0.3)[0]
        assert len(set(names(found))) == len(found) <= 4


def test_fastest_goes_by_predictions_and_tries_the_unknown() -> None:
    found, why = order("fastest", candidates(haiku=900, small=400, opus=700, large=9000))
    assert names(found) == ["small", "opus", "haiku", "large"]
    assert why == "fastest: predicted 400 ms"
    assert names(order("fastest", candidates(haiku=900, small=400, opus=700))[0])[0] == "large"


def test_difficulty_sends_the_hard_up_and_the_easy_down() -> None:
    hard, why = order("difficulty", candidates(), hard=True)
    assert (names(hard)[0], why) == ("opus", "difficulty: hard")
    assert names(order("difficulty", candidates())[0])[0] == "small"


def test_weights_are_kept_in_the_long_run() -> None:
    drawn = Counter(
        names(order("weighted", candidates(), roll=n / 1000)[0])[0] for n in range(1000)
    )
    assert drawn == {"haiku": 250, "small": 750}


def test_a_deadline_moves_only_what_misses_it() -> None:
    late, why = order("local-first", candidates(small=5000, large=90_000), deadline_ms=8000)
    assert names(late) == ["small", "haiku", "opus", "large"]
    assert why == "local-first"
    missed, why = order("local-first", candidates(small=9000, large=90_000), deadline_ms=8000)
    assert names(missed) == ["haiku", "opus", "small", "large"]
    assert why == "deadline: pi/small is predicted to take 9000 ms of 8000"


def test_a_deadline_never_leaves_the_house_where_it_may_not() -> None:
    found, _ = order("local-only", candidates(small=9000, large=9000), deadline_ms=1)
    assert names(found) == ["small", "large"]
    alone = [one for one in candidates(small=9000, large=9000) if one.local]
    assert names(order("chain", alone, deadline_ms=1)[0]) == ["small", "large"]


def test_what_was_never_measured_is_tried() -> None:
    assert names(order("local-first", candidates(), deadline_ms=1)[0])[0] == "small"


def test_the_prediction_is_the_sum_of_its_parts() -> None:
    figures = Figures(prefill=50.0, decode=10.0, load=6.0, output=80.0, chars=3.0)
    assert predict.prompt_tokens(3000, figures) == 1000
    assert predict.output_tokens(figures, None) == 80
    assert predict.output_tokens(figures, 20) == 20
    assert predict.service_ms(figures, 1000, 80) == pytest.approx((20 + 8) * 1000)
    assert predict.load_ms(figures, loaded=False) == 6000
    assert predict.load_ms(figures, loaded=True) == 0
    assert predict.service_ms(Figures(), 10, 10) is None
    assert predict.service_ms(Figures(decode=5.0), 10, 10) is None
    assert predict.service_ms(Figures(decode=5.0, first=0.5), 10, 10) == pytest.approx(2500)
