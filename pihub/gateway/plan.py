"""What a request of a routed model gets beside its chain: an order, predictions, a reason.

A model without any of this (`Planner.wanted` is false) costs one look into a set, and
may take whatever faster way there is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from pihub.domain import predict
from pihub.domain.chat import Ask, Text, Usage
from pihub.domain.routing import ONLY, POLICIES, Candidate, order, permitted, restriction
from pihub.domain.target import Target
from pihub.errors import BadRequest, PolicyRefused
from pihub.gateway.exchange import Exchange
from pihub.shared.routing import Event, LocalState, Speeds, load_left
from pihub.shared.state import SharedState

SMALL_CONTEXT = 4096
"""Ollama's own default: tokens of a model that nobody loaded with more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a model's section says."""

    policy: str = "chain"
    deadline_ms: float | None = None
    weights: tuple[float, ...] = ()
    strong_share: float = 0.5
    verify: tuple[str, ...] = ()
    floor: float = -1.0
    """Of the check `logprob`."""
    hedge_ms: float | None = None
    """Head start of the first target before a second one is asked too."""
    hedge_auto: bool = False
    """It is learnt."""

    @property
    def plain(self) -> bool:
        return self == PLAIN

    @property
    def hedged(self) -> bool:
        return self.hedge_auto or self.hedge_ms is not None


PLAIN = Rules()


@dataclass(slots=True)
class Plan:
    """One request's routing. Times of `monotonic`."""

    rules: Rules
    reason: str
    prompt: int
    output: int
    predicted_ms: dict[str, float]
    """By target; only where there is something to go by."""
    until: float
    policy: str = "chain"
    """The order that the request got."""
    began: float = field(default_factory=monotonic)
    waited_ms: int = 0
    """In a queue, or for a model to be loaded."""
    note: str = ""
    """What happened since, such as a draft that was verified."""
    deadline_ms: float | None = None
    local_only: bool = False


class Scorer(Protocol):
    def rank(self, text: str) -> float:
        """The share of known prompts that gain less by a strong model, 0 to 1."""


class Prices(Protocol):
    def cost_or_none(self, kind: str, model: str, usage: Usage | None) -> int | None: ...


class Queues(Protocol):
    def wait_ms(self, upstream: str) -> int:
        """What a newcomer would wait now; 0 without a queue."""


class Planner:
    """Sets `targets` and `plan`. Raises PolicyRefused and BadRequest (unknown policy)."""

    def __init__(
        self,
        rules: Mapping[str, Rules],
        local: frozenset[str],
        queued: frozenset[str],
        key_policies: Mapping[int, str],
        speeds: Speeds,
        models: LocalState,
        queues: Queues,
        prices: Prices,
        difficulty: Scorer | None,
        state: SharedState,
        slot: int,
        *,
        chain_seconds: float,
    ) -> None:
        """`local`: upstreams on this machine or network; `queued`: those with a queue."""
        self._rules = {alias: one for alias, one in rules.items() if not one.plain}
        self._local = local
        self._queued = queued
        self._keys = key_policies
        self._speeds = speeds
        self._models = models
        self._queues = queues
        self._prices = prices
        self._difficulty = difficulty
        self._count = state.routing.add
        self._slot = slot
        self._chain_seconds = chain_seconds

    def wanted(self, x: Exchange, chain: Sequence[Target]) -> bool:
        """Whether this request needs more than its chain. The predicate of the fast ways."""
        request = x.request
        return (
            x.alias in self._rules
            or request.policy is not None
            or request.deadline_ms is not None
            or request.principal.key in self._keys
            or any(
                target.upstream in self._queued
                or (target.kind == "ollama" and len(request.body) > 2 * SMALL_CONTEXT)
                for target in chain
            )
        )

    def __call__(self, x: Exchange, chain: Sequence[Target]) -> None:
        rules = self._rules.get(x.alias, PLAIN)
        deadline = _number(x.request.deadline_ms)
        if deadline is None:
            deadline = rules.deadline_ms
        policy, only = self._policy(x, rules)
        ask = x.parsed()
        found = self.weigh(chain, rules, len(x.request.body), ask.max_tokens)
        if only:
            found, _ = order(only, found)
        hard = False
        if policy == "difficulty" and self._difficulty is not None:
            hard = self._difficulty.rank(last_words(ask)) >= 1 - rules.strong_share
        first = found[0] if found else None
        found, reason = order(
            policy,
            found,
            roll=(zlib.crc32(x.request.rid_hex.encode()) % 10_000) / 10_000,
            hard=hard,
            deadline_ms=deadline,
        )
        if not found:
            raise PolicyRefused(f"{only or policy} leaves no target of the model {x.alias[:100]!r}")
        if reason.startswith("deadline"):
            self._count(self._slot, Event.DEADLINE_UP, 1)
        self._count(self._slot, Event.LOCAL if found[0].local else Event.CLOUD, 1)
        assert first is not None
        figures = self._speeds.figures(first.target)
        x.targets = tuple(one.target for one in found)
        x.plan = Plan(
            rules,
            f"{only}, {reason}" if only and only != policy else reason,
            predict.prompt_tokens(len(x.request.body), figures),
            predict.output_tokens(figures, ask.max_tokens),
            {one.target.name: one.predicted_ms for one in found if one.predicted_ms is not None},
            monotonic() + self._chain_seconds,
            policy,
            deadline_ms=deadline,
            local_only="local-only" in (policy, only),
        )

    def allowed(self, x: Exchange, chain: Sequence[Target]) -> tuple[Target, ...]:
        """The chain as written, without what the key's and the model's restrictions and an
        `-only` header leave out. Raises PolicyRefused and BadRequest (unknown policy)."""
        policy, only = self._policy(x, self._rules.get(x.alias, PLAIN))
        left = permitted(policy, permitted(only, chain, self._local), self._local)
        if not left:
            raise PolicyRefused(f"{only or policy} leaves no target of the model {x.alias[:100]!r}")
        return left

    def only(self, x: Exchange) -> str:
        """One of ONLY that the request's policy is or its restrictions say, or ""."""
        policy, only = self._policy(x, self._rules.get(x.alias, PLAIN))
        return only or (policy if policy in ONLY else "")

    def _policy(self, x: Exchange, rules: Rules) -> tuple[str, str]:
        """(order, restriction or ""): a key's restriction cannot be asked away."""
        key = self._keys.get(x.request.principal.key, "")
        policy = x.request.policy or (key if key and key not in ONLY else "") or rules.policy
        policy = policy.strip().lower()
        if policy not in POLICIES:
            raise BadRequest(
                f"x-pihub-policy is one of {', '.join(POLICIES)}", param="x-pihub-policy"
            )
        return policy, restriction(key, rules.policy)

    def rules(self, alias: str) -> Rules:
        return self._rules.get(alias, PLAIN)

    def figures(self, target: Target) -> predict.Figures:
        """What was learnt of it."""
        return self._speeds.figures(target)

    def weigh(
        self, chain: Sequence[Target], rules: Rules, size: int, most: int | None
    ) -> list[Candidate]:
        """Each target as it stands now, for a request of `size` bytes that wants at most
        `most` tokens."""
        return [
            self._candidate(target, place, rules, size, most) for place, target in enumerate(chain)
        ]

    def _candidate(
        self, target: Target, place: int, rules: Rules, size: int, most: int | None
    ) -> Candidate:
        figures = self._speeds.figures(target)
        prompt = predict.prompt_tokens(size, figures)
        output = predict.output_tokens(figures, most)
        local = target.upstream in self._local
        ms = predict.service_ms(figures, prompt, output)
        if ms is not None and target.kind == "ollama":
            ms += load_left(self._models.model(target), figures)
            ms += self._queues.wait_ms(target.upstream)
        cost = self._prices.cost_or_none(target.kind, target.model, Usage(prompt, output))
        weight = rules.weights[place] if place < len(rules.weights) else 1.0
        return Candidate(target, local, cost, ms, weight, place)


def last_words(ask: Ask) -> str:
    """What the difficulty is read from: the last thing the user said, and the tools."""
    text = ""
    for message in reversed(ask.messages):
        if message.role == "user":
            text = "\n".join(block.text for block in message.blocks if isinstance(block, Text))
            if text:
                break
    if ask.tools:
        text += "\n" + "\n".join(f"{tool.name} {tool.description}" for tool in ask.tools)
    return text


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    if not text.strip().isdecimal() or not 0 < int(text) <= 86_400_000:
        raise BadRequest(
            "x-pihub-deadline-ms is a number of milliseconds", param="x-pihub-deadline-ms"
        )
    return float(text)



