"""Routing of one worker, from the settings: planner, queues, learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pihub.domain.ports import Waiter
from pihub.gateway.care import Care, RetryBudget
from pihub.gateway.context import ContextGuard
from pihub.gateway.hedge import Hedge
from pihub.gateway.learn import Learner
from pihub.gateway.plan import PLAIN, Planner, Rules
from pihub.gateway.preview import Previewer
from pihub.gateway.route import ModelTable
from pihub.gateway.turns import Lane, Turns, Waits
from pihub.settings.routing_rules import local as local_upstreams
from pihub.settings.schema import Settings
from pihub.shared.difficulty import Difficulty, load
from pihub.shared.routing import LocalState, Speeds

if TYPE_CHECKING:
    from pihub.app import Hub


class RoutingParts(NamedTuple):
    planner: Planner
    care: Care
    learn: Learner
    hedge: Hedge
    turns: Turns


def build_routing(hub: Hub, slot: int, waiter: Waiter) -> RoutingParts:
    """RAM: some KiB a worker; the weights of the difficulty are the hub's, shared by fork."""
    settings, state = hub.settings, hub.state
    speeds, models = Speeds(state), LocalState(state)
    turns = Turns(_lanes(hub), speeds, models, waiter, state, slot)
    local = local_upstreams(settings)
    planner = _planner(hub, slot, speeds, models, turns)
    guard = ContextGuard(models, state, slot)
    retries = RetryBudget(settings.routing.retry_share)
    care = Care(turns, guard, retries, local, hub.rows, state, slot)
    hedge = Hedge(
        waiter,
        speeds,
        state,
        slot,
        local,
        lambda target: not hub.prices.is_free(target.kind, target.model),
        share=settings.routing.hedge_share,
    )
    return RoutingParts(planner, care, Learner(speeds, state, slot), hedge, turns)


def build_preview(hub: Hub, slot: int) -> Previewer:
    """The control process's look at the router of the workers."""
    state = hub.state
    planner = _planner(hub, slot, Speeds(state), LocalState(state), Waits(_lanes(hub), state))
    return Previewer(hub.models, planner, hub.health.snapshot, lambda: hub.difficulty or load())


def _lanes(hub: Hub) -> dict[str, Lane]:
    return {
        name: Lane(hub.rows[name], one.queue.patience, one.queue.hold)
        for name, one in hub.settings.upstreams.items()
        if one.queue.parallel
    }


def _planner(hub: Hub, slot: int, speeds: Speeds, models: LocalState, waits: Waits) -> Planner:
    settings = hub.settings
    return Planner(
        model_rules(settings),
        local_upstreams(settings),
        frozenset(_lanes(hub)),
        key_policies(settings),
        speeds,
        models,
        waits,
        hub.prices,
        hub.difficulty,
        hub.state,
        slot,
        chain_seconds=settings.routing.chain_seconds,
    )


def model_rules(settings: Settings) -> dict[str, Rules]:
    """By the model's name."""
    return {
        alias: Rules(
            policy=model.policy,
            deadline_ms=None if model.deadline_ms is None else float(model.deadline_ms),
            weights=tuple(model.weights),
            strong_share=model.strong_share,
            verify=tuple(model.verify),
            floor=model.verify_floor if "logprob" in model.verify else PLAIN.floor,
            hedge_ms=None if not isinstance(model.hedge_after_ms, int) else model.hedge_after_ms,
            hedge_auto=model.hedge_after_ms == "auto",
        )
        for alias, model in settings.models.items()
    }


def local_names(settings: Settings, models: ModelTable) -> frozenset[str]:
    """The names of models that a local upstream may answer, if only while the hub is offline."""
    local = local_upstreams(settings)
    instead = {alias for alias, model in settings.models.items() if model.offline_model}
    return frozenset(
        name
        for name, chain in models.chains()
        if name in instead or any(t.upstream in local for t in chain)
    )


def key_policies(settings: Settings) -> dict[int, str]:
    """Number of a key to its policy; the settings' check has refused what is malformed."""
    found = {}
    for text in settings.routing.key_policies:
        number, _, policy = text.partition("=")
        found[int(number)] = policy.strip()
    return found


def difficulty_for(settings: Settings) -> Difficulty | None:
    """Loaded only where something may ask for it."""
    wanted = any(model.policy == "difficulty" for model in settings.models.values())
    keyed = any("difficulty" in one for one in settings.routing.key_policies)
    return load() if wanted or keyed or settings.routing.difficulty else None
