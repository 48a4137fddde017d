"""Which of a model's targets come first: pure functions of what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from pihub.domain.target import Target

ONLY = frozenset({"local-only", "cloud-only"})
POLICIES = (
    "chain", "local-first", "cheapest", "fastest", "quality", "weighted", "difficulty",
    "local-only", "cloud-only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """One target as it stands now. `cost_nano` and `predicted_ms` are None if unknown."""

    target: Target
    local: bool
    cost_nano: int | None = None
    predicted_ms: float | None = None
    weight: float = 1.0
    place: int = 0
    """In the chain."""


def restriction(key: str, model: str) -> str:
    """What a key's policy and its model's leave out, whatever a request asks for: one of ONLY,
    or "". The key's goes before."""
    if key in ONLY:
        return key
    return model if model in ONLY else ""


def permitted(only: str, chain: Sequence[Target], local: frozenset[str]) -> tuple[Target, ...]:
    """The targets that a restriction leaves; `local`: upstreams on this machine or network."""
    if only not in ONLY:
        return tuple(chain)
    return tuple(one for one in chain if (one.upstream in local) == (only == "local-only"))


def order(
    policy: str,
    candidates: Sequence[Candidate],
    *,
    roll: float = 0.0,
    hard: bool = False,
    deadline_ms: float | None = None,
) -> tuple[list[Candidate], str]:
    """(the candidates in the order of trial, why the first is first).

    `roll` in [0, 1) decides `weighted`, `hard` decides `difficulty`. With a deadline, local
    targets whose predicted time is longer go behind the cloud's, whatever the policy.
    """
    left = list(candidates)
    if policy == "local-only":
        left = [one for one in left if one.local]
    elif policy == "cloud-only":
        left = [one for one in left if not one.local]
    elif policy == "local-first":
        left.sort(key=lambda one: not one.local)
    elif policy == "cheapest":
        left.sort(key=lambda one: inf if one.cost_nano is None else one.cost_nano)
    elif policy == "fastest":
        # What has never been measured is tried first, once it will be known.
        left.sort(key=lambda one: -1.0 if one.predicted_ms is None else one.predicted_ms)
    elif policy == "quality":
        left.sort(key=strength, reverse=True)
    elif policy == "weighted":
        left = drawn(left, roll)
    elif policy == "difficulty":
        left.sort(key=strength, reverse=hard)
    why = reason(policy, left, hard)
    if deadline_ms is not None and policy != "local-only":
        late = [one for one in left if one.local and (one.predicted_ms or 0) > deadline_ms]
        others = [one for one in left if not one.local]
        if late and others and left[0] in late:
            first = late[0]
            why = (
                f"deadline: {first.target.name} is predicted to take "
                f"{first.predicted_ms:.0f} ms of {deadline_ms:.0f}"
            )
        if others:
            left = [one for one in left if one not in late] + late
    return left, why


def strength(one: Candidate) -> tuple[bool, float, int]:
    """The dearer the stronger; among equals the later in the chain, which is written from
    small to large."""
    return (not one.local, -1.0 if one.cost_nano is None else float(one.cost_nano), one.place)


def drawn(candidates: Sequence[Candidate], roll: float) -> list[Candidate]:
    """One by weight in front, the others behind it by weight."""
    total = sum(one.weight for one in candidates)
    rest = sorted(candidates, key=lambda one: -one.weight)
    at = roll * total
    for one in candidates:
        at -= one.weight
        if at < 0:
            return [one, *[other for other in rest if other is not one]]
    return rest


def reason(policy: str, left: Sequence[Candidate], hard: bool) -> str:
    if policy == "chain" or not left:
        return "first choice"
    first = left[0]
    if policy == "fastest" and first.predicted_ms is not None:
        return f"fastest: predicted {first.predicted_ms:.0f} ms"
    if policy == "fastest":
        return "fastest: not measured yet"
    if policy == "difficulty":
        return f"difficulty: {'hard' if hard else 'easy'}"
    return policy
