"""A worker's pipeline of chats as a bill of materials: what each stage is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pihub.compose.jobs import deferring
from pihub.compose.offline import later_of, offline_mode
from pihub.compose.prompts import prompt_guard
from pihub.compose.routing import RoutingParts, build_routing, local_names
from pihub.compose.semantic import build_semantic
from pihub.compose.sharing import Shares, build_shares, negatives
from pihub.domain.energy import Energy
from pihub.domain.ports import Waiter
from pihub.gateway.admit import Admit
from pihub.gateway.background import Background
from pihub.gateway.call import Call
from pihub.gateway.exchange import Exchange
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.link import Link
from pihub.gateway.lookup import Lookup, Sharing, Stale
from pihub.gateway.pace import Pace
from pihub.gateway.patience import Patience
from pihub.gateway.pipeline import Pipeline, Stages
from pihub.gateway.purse import Purse
from pihub.gateway.record import Recorder
from pihub.gateway.refresh import Refresh
from pihub.gateway.remember import Remember
from pihub.gateway.render import Render
from pihub.gateway.route import Router
from pihub.gateway.thoughts import Thoughts
from pihub.http.data.jobs import Deferred
from pihub.settings.sizes import parse_size
from pihub.shared.answers import AnswerCache, ByteCache
from pihub.shared.budgets import Budgets
from pihub.shared.flights import Flights
from pihub.shared.metrics import Column
from pihub.shared.scopes import Scopes
from pihub.shared.spending import PlanReader
from pihub.shared.streams import StreamTracker
from pihub.upstream.connector.connector import Connector

if TYPE_CHECKING:
    from pihub.app import Hub


class Chats(NamedTuple):
    pipeline: Pipeline
    purse: Purse
    deferred: Deferred | None


def build_chats(
    hub: Hub,
    slot: int,
    waiter: Waiter,
    connector: Connector,
    links: dict[str, Link],
    flights: Flights,
    background: Background,
    answers: AnswerCache,
    scopes: Scopes,
) -> Chats:
    settings, state = hub.settings, hub.state
    limits = settings.limits
    record = Recorder(state, slot)
    purse = Purse(
        Budgets(state.budgets, slot, state.arena.secret), PlanReader(state.spending), hub.prices
    )
    remember = _remember(hub, slot, answers)
    guard = prompt_guard(hub, slot)
    routing = build_routing(hub, slot, waiter)
    intake = Intake(parse_size(limits.body), limits.json_depth, limits.json_values)
    tracker = StreamTracker(state.streams, slot, settings.streams.stall, limits.streams_per_key)
    thoughts = Thoughts(ByteCache(state.cache, state.arena.secret, hub.loaded.epoch))
    shares = build_shares(hub, slot, waiter, flights, answers, tracker)
    semantic = build_semantic(hub, slot, waiter, connector, links, routing.turns)
    lookup = Lookup(
        answers,
        flights,
        temperature=settings.gateway.cache_temperature,
        patience=max((u.timers.total for u in settings.upstreams.values()), default=600.0),
        sharing=Sharing(shares.relay, settings.gateway.idempotency_ttl),
        semantic=semantic,
        stale=Stale(
            settings.cache.stale_if_error,
            settings.cache.stale_while_revalidate,
            Refresh(background, answers, lambda x: pipeline.refresh(x)),
        ),
        negatives=negatives(hub),
    )
    offline = offline_mode(hub, slot, routing.planner, lookup)
    deferred = deferring(
        hub,
        connector,
        intake,
        Inspect(scopes, guard=guard, named=hub.models.named),
        Router(hub.models, routing.planner, thoughts, guard=guard),
        purse,
    )

    def finish(x: Exchange) -> None:
        pipeline.finish(x)

    pipeline = Pipeline(
        Stages(
            admit=Admit(state, slot, limits.streams_per_worker, intake.__call__),
            inspect=Inspect(scopes, tracker, guard, hub.models.named),
            lookup=lookup,
            route=Router(hub.models, routing.planner, thoughts, offline, guard),
            call=_call(
                hub, slot, waiter, connector, links, purse, routing, lookup.stale, thoughts, shares
            ),
            learn=routing.learn,
            thoughts=thoughts,
            render=Render(
                remember,
                record,
                state,
                slot,
                finish,
                shares.tracking,
                shares.relay,
                shares.linger,
            ),
            remember=remember,
            record=record,
            purse=purse,
            patience=partial(
                Patience,
                waiter,
                record.headers,
                local_names(settings, hub.models),
                settings.streams.ping,
            ),
            tracking=shares.tracking,
            later=later_of(hub, offline, deferred),
            semantic=semantic,
        )
    )
    return Chats(pipeline, purse, deferred)


def _remember(hub: Hub, slot: int, answers: AnswerCache) -> Remember:
    settings = hub.settings
    return Remember(
        answers,
        hub.prices,
        hub.state,
        slot,
        ttl=settings.cache.ttl,
        stale=max(settings.cache.stale_if_error, settings.cache.stale_while_revalidate),
        max_value=parse_size(settings.cache.max_value),
        warn=settings.gateway.warn_unknown_price,
        energy=Energy(settings.energy.watts, settings.energy.usd_per_kwh),
    )


def _call(
    hub: Hub,
    slot: int,
    waiter: Waiter,
    connector: Connector,
    links: dict[str, Link],
    purse: Purse,
    routing: RoutingParts,
    stale: Callable[[Exchange], bool],
    thoughts: Thoughts,
    shares: Shares,
) -> Call:
    settings, state = hub.settings, hub.state
    return Call(
        links,
        connector,
        waiter,
        state,
        slot,
        answer_limit=parse_size(settings.limits.answer),
        purse=purse,
        pace=Pace(
            waiter,
            lambda: state.counters.get(slot, Column.STREAMS_OPEN),
            gap=settings.streams.coalesce_ms / 1000,
            busy_from=settings.streams.coalesce_from,
        ),
        care=routing.care,
        hedge=routing.hedge,
        linger=shares.linger,
        stale=stale,
        thoughts=thoughts,
        tracking=shares.tracking,
        prompt_cache=shares.prompt_cache,
    )
