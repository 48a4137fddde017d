"""The composition of one worker: edge, Falcon app, pipeline, connector."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pihub.compose.chats import build_chats
from pihub.compose.endpoints import Beside, manage_sink, with_faces
from pihub.compose.jobs import job_resources
from pihub.compose.lane import build_lane
from pihub.compose.pools import Pools
from pihub.compose.refusals import refusals
from pihub.compose.scanner import Refused, scanner_gate, scanner_judge
from pihub.compose.webhooks import webhook_sink
from pihub.domain.ports import Waiter
from pihub.gateway.api import ApiProxy
from pihub.gateway.api.record import ApiRecorder
from pihub.gateway.background import Background
from pihub.gateway.link import Link, auth_headers, chat_path
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
from pihub.shared.dns import BoardResolver
from pihub.shared.edge import build_edge
from pihub.shared.flights import Flights
from pihub.shared.health import RateLimit, UpstreamHealth
from pihub.shared.routing import LocalState
from pihub.shared.scopes import Scopes
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
        answers = AnswerCache(state.cache, state.arena.secret, hub.loaded.epoch)
        clients = {name: make() for name, make in CLIENTS.items()}
        scopes = Scopes(state.scopes)
        access = Access(state.keys, state.limits, state.quotas, scopes)
        links = self._links(hub)
        self._pools = Pools(hub, slot, self.connector, links)
        core, self._judge = scanner_judge(hub, slot)
        errors = ErrorMapper(clients)
        chats = build_chats(
            hub, slot, waiter, self.connector, links, self.flights, self._background, answers,
            scopes,
        )  # fmt: skip
        pipeline = chats.pipeline
        beside = Beside(hub, slot, waiter, self.connector, links, pipeline, answers, clients)
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
                        chats.deferred,
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
                pipeline.stages.remember.unpriced,
                chats.purse.open_for,
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
