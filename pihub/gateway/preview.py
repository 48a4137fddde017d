"""What the router would do with a prompt, and why, in words; nobody is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pihub.domain.predict import output_tokens, prompt_tokens
from pihub.domain.routing import ONLY, Candidate, order
from pihub.gateway.plan import Planner
from pihub.gateway.route import ModelTable
from pihub.shared.difficulty import Difficulty, Explanation

FRAME = 80
"""Bytes of a request around its prompt."""
RESTING = "rests after failures"
POLICIES = {
    "chain": "Its targets are tried in the order of the file",
    "local-first": "Local models come before those of the cloud",
    "cheapest": "The cheapest comes first, by the prices in force",
    "fastest": "The fastest comes first, by what was measured here",
    "quality": "The strongest comes first: the cloud, the dearest model",
    "weighted": "Each request draws its target by the weights of the file",
    "difficulty": "Easy prompts go to the weak model, hard ones to the strong one",
    "local-only": "Only local models may answer",
    "cloud-only": "Only the cloud may answer",
}


class Option(NamedTuple):
    """One target of the chain, in the order of trial."""

    target: str
    local: bool
    cost_nano: int | None
    """Predicted; None: no price is known."""
    predicted_ms: float | None
    """None: not measured yet."""
    state: str
    """Of its breaker."""


class Preview(NamedTuple):
    model: str
    policy: str
    reason: str
    """The words of x-pihub-reason."""
    text: str
    """The same in sentences."""
    prompt_tokens: int
    output_tokens: int
    options: tuple[Option, ...]
    hard: bool | None
    """None: the policy does not ask how hard a prompt is."""
    difficulty: Explanation
    strong_share: float


class Previewer:
    """The control process's; `state`: of an upstream's breaker."""

    def __init__(
        self,
        models: ModelTable,
        planner: Planner,
        state: Callable[[], Mapping[str, Mapping[str, int | str]]],
        load: Callable[[], Difficulty],
    ) -> None:
        """`load` is called for the first prompt: most hubs need no weights, of 100 KiB."""
        self._models = models
        self._planner = planner
        self._state = state
        self._load = load
        self._weights: Difficulty | None = None

    def __call__(self, alias: str, prompt: str, max_tokens: int | None = None) -> Preview:
        """Raises ModelNotFound."""
        alias = self._models.named(alias)
        chain = self._models.find(alias)
        rules = self._planner.rules(alias)
        size = len(prompt.encode()) + FRAME
        found = self._planner.weigh(chain, rules, size, max_tokens)
        if self._weights is None:
            self._weights = self._load()
        explained = self._weights.explain(prompt)
        hard = explained.rank >= 1 - rules.strong_share
        first = found[0].target
        found, reason = order(rules.policy, found, hard=hard, deadline_ms=rules.deadline_ms)
        states = {name: str(one["state"]) for name, one in self._state().items()}
        options = tuple(_option(one, states) for one in found)
        asks = hard if rules.policy == "difficulty" else None
        figures = self._planner.figures(first)
        return Preview(
            alias, rules.policy, reason,
            _text(rules.policy, options, asks, explained.rank, rules.strong_share),
            prompt_tokens(size, figures), output_tokens(figures, max_tokens), options, asks,
            explained, rules.strong_share,
        )  # fmt: skip


def _option(one: Candidate, states: Mapping[str, str]) -> Option:
    return Option(
        one.target.name, one.local, one.cost_nano, one.predicted_ms,
        states.get(one.target.upstream, "closed"),
    )  # fmt: skip


def _text(
    policy: str, options: tuple[Option, ...], hard: bool | None, rank: float, share: float
) -> str:
    said = [f"{POLICIES[policy]}."]
    if hard is not None:
        word = "hard" if hard else "easy"
        said.append(
            f"This prompt counts as {word}: {rank:.0%} of known prompts gain less by a strong"
            f" model, and the top {share:.0%} go to it."
        )
    if not options:
        return " ".join([*said, "No target of this model is left."])
    resting = [one for one in options if one.state == "open"]
    able = [one for one in options if one not in resting]
    said += [f"{one.target} {RESTING}." for one in resting]
    if not able:
        return " ".join([*said, "So nobody can answer now."])
    first = able[0]
    said.append(f"So {first.target} answers{_after(able[1:], policy in ONLY)}.")
    if first.predicted_ms is not None:
        said.append(f"It is predicted to take {first.predicted_ms / 1000:.1f} s.")
    return " ".join(said)


def _after(others: list[Option], only: bool) -> str:
    if not others:
        return " or nobody" if only else ""
    return f"; if it fails, {' and then '.join(one.target for one in others)}"
