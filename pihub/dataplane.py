"""The composition of one worker: edge, Falcon app, pipeline, connector."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from pihub.compose.endpoints import Beside, manage_sink, with_faces
from pihub.compose.jobs import deferring, job_resources
from pihub.compose.lane import build_lane
from pihub.compose.offline import later_of, offline_mode
from pihub.compose.pools import Pools
from pihub.compose.prompts import prompt_guard
from pihub.compose.refusals import refusals
from pihub.compose.routing import build_routing, local_names
from pihub.compose.scanner import Refused, scanner_gate, scanner_judge
from pihub.compose.semantic import build_semantic
from pihub.compose.sharing import build_shares, negatives
from pihub.compose.webhooks import webhook_sink
from pihub.domain.energy import Energy
from pihub.domain.ports import Waiter
from pihub.gateway.admit import Admit
from pihub.gateway.api import ApiProxy
from pihub.gateway.api.record import ApiRecorder
from pihub.gateway.background import Background
from pihub.gateway.call import Call
from pihub.gateway.exchange import Exchange
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.link import Link, auth_headers, chat_path
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
from pihub.http.data.api import ApiSink
from pihub.http.data.chat import ChatEndpoint
from pihub.http.data.control import ControlProxy
from pihub.http.data.cors import with_cors
from pihub.http.data.errors import ErrorMapper
from pihub.http.data.health import Healthz, Metrics, Readyz
from pihub.http.data.models import ModelList, OllamaRunning, OllamaVersion, OneModel, Root, Tags
from pihub.http.data.responses import OneResponse
from pihub.http.data.routes import EDGE_ROUTES, Parts, Sink, build
from pihub.insight.metrics import exposition
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from pihub.settings.origins import cors_origins
from pihub.settings.sizes import parse_size
from pihub.shared.access import Access
from pihub.shared.answers import AnswerCache, ByteCache
from pihub.shared.budgets import Budgets
from pihub.shared.dns import BoardResolver
from pihub.shared.edge import build_edge
from pihub.shared.flights import Flights
from pihub.shared.health import RateLimit, UpstreamHealth
from pihub.shared.metrics import Column
from pihub.shared.routing import LocalState
from pihub.shared.scopes import Scopes
from pihub.shared.spending import PlanReader
from pihub.shared.streams import StreamTracker
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin

if TYPE_CHECKING:
    from pihub.app import Hub

CHATS = (
    # resource, protocol, path
    ("openai_chat", "openai", "/v1/chat/completions"),
    ("anthropic_messages", "anthropic", "/v1/messages"),
    ("ollama_chat", "ollama", "/api/chat"),
    ("openai_completions", "completions", "/v1/completions"),
    ("ollama_generate", "generate", "/api/generate"),
)


class Worker:
    """One worker's objects. `app` is its WSGI callable, `tick` its housekeeping."""

    def __init__(self, hub: Hub, slot: int, waiter: Waiter) -> None:
        settings, state = hub.settings, hub.state
        self._state, self._slot = state, slot
        self.leaving = False
        state.process_began(slot)
        self.connector = Connector(
            waiter, BoardResolver(state.dns), max_header=parse_size(settings.limits.header)
        )
        self.flights = Flights(state.inflight, slot, state.eventfds[slot], waiter)
        self._background = Background(self.flights, waiter.spawn)
        self._answers = AnswerCache(state.cache, state.arena.secret, hub.loaded.epoch)
        clients = {name: make() for name, make in CLIENTS.items()}
        self._scopes = Scopes(state.scopes)
        access = Access(state.keys, state.limits, state.quotas, self._scopes)
        links = self._links(hub)
        self._guard = prompt_guard(hub, slot)
        self._pools = Pools(hub, slot, self.connector, links)
        core, self._judge = scanner_judge(hub, slot)
        errors = ErrorMapper(clients)
        pipeline = self._pipeline(hub, waiter, links)
        beside = Beside(
            hub, slot, waiter, self.connector, links, pipeline, self._answers, clients
        )
        models = ModelList(
            clients["openai"], clients["anthropic"], hub.models, access, hub.started
        )
        app = build(
            Parts(
                chats={
                    what: ChatEndpoint(
                        clients[name],
                        EDGE_ROUTES[path],
                        pipeline,
                        waiter,
                        state.traces,
                        self._deferred,
                    )
                    for what, name, path in CHATS
                }
                | beside.posts,
                resources=job_resources(hub, self.connector, waiter, access)
                | {
                    "models": models,
                    "model": OneModel(
                        clients["openai"], clients["anthropic"], hub.models, access, hub.started
                    ),
                    "response": OneResponse(beside.stored, access),
                    "ollama_ps": OllamaRunning(beside.running, hub.models, access, waiter),
                    "tags": Tags(hub.models, LocalState(state), access, hub.started),
                    "ollama_version": OllamaVersion(),
                    "root": Root(),
                    "healthz": Healthz(),
                    "readyz": Readyz(state, hub.health, tuple(settings.upstreams)),
                    "metrics": Metrics(
                        lambda accept: exposition(
                            state, hub.health, accept, hub.models.all_targets()
                        ),
                        access,
                    ),
                },
                sinks={
                    "control": ControlProxy(
                        self.connector, str(hub.control_socket), waiter, lambda: self.leaving
                    ),
                    "webhooks": webhook_sink(hub, slot, waiter, self.connector),
                    "ollama_manage": manage_sink(hub, links, access, self.connector, waiter),
                },
                apis=self._apis(hub, waiter, access),
                errors=errors,
            )
        )
        edge = build_edge(
            app,
            state,
            slot,
            hub.loaded.epoch,
            EDGE_ROUTES,
            refusals(clients, CHATS),
            parse_size(settings.limits.body),
            build_lane(
                hub,
                slot,
                waiter,
                self.connector,
                links,
                {name: EDGE_ROUTES[path] for _, name, path in CHATS},
                self._remember.unpriced,
                self._purse.open_for,
            ),
            [name for name, model in settings.models.items() if model.any_order],
        )
        self.app = with_cors(
            scanner_gate(edge, core, self._judge, errors, access, Refused(hub, slot)),
            cors_origins(settings),
            credentials=settings.server.cors_credentials,
        )

    def tick(self, leaving: bool) -> None:
        """About once a second: keep the leases of open flights, close idle connections."""
        self.leaving = leaving
        if leaving:
            self._background.stop()
        self._state.arena.beat(self._slot, int(time.monotonic() * 1000))
        self.flights.renew()
        self.connector.close_idle()
        self._pools.tell()

    def _pipeline(self, hub: Hub, waiter: Waiter, links: dict[str, Link]) -> Pipeline:
        settings, state, slot = hub.settings, hub.state, self._slot
        record = Recorder(state, slot)
        self._purse = purse = Purse(
            Budgets(state.budgets, slot, state.arena.secret), PlanReader(state.spending), hub.prices
        )
        self._remember = remember = Remember(
            self._answers,
            hub.prices,
            state,
            slot,
            ttl=settings.cache.ttl,
            stale=max(settings.cache.stale_if_error, settings.cache.stale_while_revalidate),
            max_value=parse_size(settings.cache.max_value),
            warn=settings.gateway.warn_unknown_price,
            energy=Energy(settings.energy.watts, settings.energy.usd_per_kwh),
        )
        routing = build_routing(hub, slot, waiter)
        limits = settings.limits
        body = parse_size(limits.body)
        self._intake = intake = Intake(body, limits.json_depth, limits.json_values)
        stall = settings.streams.stall
        tracker = StreamTracker(state.streams, slot, stall, limits.streams_per_key)
        thoughts = Thoughts(ByteCache(state.cache, state.arena.secret, hub.loaded.epoch))
        shares = build_shares(hub, slot, waiter, self.flights, self._answers, tracker)
        semantic = build_semantic(hub, slot, waiter, self.connector, links, routing.turns)
        lookup = Lookup(
            self._answers,
            self.flights,
            temperature=settings.gateway.cache_temperature,
            patience=max((u.timers.total for u in settings.upstreams.values()), default=600.0),
            sharing=Sharing(shares.relay, settings.gateway.idempotency_ttl),
            semantic=semantic,
            stale=Stale(
                settings.cache.stale_if_error,
                settings.cache.stale_while_revalidate,
                Refresh(self._background, self._answers, lambda x: pipeline.refresh(x)),
            ),
            negatives=negatives(hub),
        )
        offline = offline_mode(hub, slot, routing.planner, lookup)
        self._deferred = deferred = deferring(
            hub,
            self.connector,
            intake,
            Inspect(self._scopes, guard=self._guard),
            Router(hub.models, routing.planner, thoughts, guard=self._guard),
            purse,
        )

        def finish(x: Exchange) -> None:
            pipeline.finish(x)

        pipeline = Pipeline(
            Stages(
                admit=Admit(state, slot, limits.streams_per_worker, intake.__call__),
                inspect=Inspect(self._scopes, tracker, self._guard),
                lookup=lookup,
                route=Router(hub.models, routing.planner, thoughts, offline, self._guard),
                call=Call(
                    links,
                    self.connector,
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
                    stale=lookup.stale,
                    thoughts=thoughts,
                    tracking=shares.tracking,
                    prompt_cache=shares.prompt_cache,
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
        return pipeline

    def _apis(self, hub: Hub, waiter: Waiter, access: Access) -> dict[str, Sink]:
        state, limit = hub.state, parse_size(hub.settings.limits.body)
        sinks: dict[str, Sink] = {}
        for name, api in hub.settings.apis.items():
            row = hub.rows[name]
            tag = state.names.intern(name)
            cache = ByteCache(state.cache, state.arena.secret, hub.loaded.epoch, tag)
            proxy = ApiProxy(
                name,
                api,
                hub.loaded.secrets.get(name),
                self.connector,
                cache,
                UpstreamHealth(state, row, self._slot),
                RateLimit(state, row) if api.requests_per_minute else None,
                waiter=waiter,
                max_cached=min(cache.max_value, parse_size(hub.settings.cache.max_value)),
                background=self._background,
            )
            record = ApiRecorder(state, self._slot, name)
            sinks[api.prefix] = ApiSink(
                api, proxy, record, access, waiter, self._judge, limit, name
            )
        return sinks

    def _links(self, hub: Hub) -> dict[str, Link]:
        links = {}
        for name, upstream in hub.settings.upstreams.items():
            origin, base = Origin.parse(upstream.url, ca_file=upstream.ca_file, name=name)
            links[name] = Link(
                name=name,
                kind=upstream.kind,
                format=UPSTREAMS[upstream.kind](),
                origin=origin,
                base_path=base,
                auth=auth_headers(upstream.kind, hub.loaded.secrets.get(name)),
                timers=upstream.timers,
                pool=upstream.pool,
                health=UpstreamHealth(hub.state, hub.rows[name], self._slot),
                simulated=upstream.simulated,
                retries=upstream.retries,
                chat_path=chat_path(upstream.kind, base),
            )
            links[name] = with_faces(links[name])
            self.connector.prepare(origin)
        return links
