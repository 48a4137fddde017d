"""The endpoints beside chats as a bill of materials: embeddings, counting, Ollama's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pihub.compose.offline import reached_by
from pihub.domain.ports import ClientFormat, Waiter
from pihub.gateway.count import Count
from pihub.gateway.direct import Direct, DirectStages
from pihub.gateway.embed import Embed
from pihub.gateway.link import Link
from pihub.gateway.pipeline import Pipeline, Stages
from pihub.gateway.show import Running, Show
from pihub.http.data.chat import ChatEndpoint
from pihub.http.data.manage import Manage
from pihub.http.data.responses import ResponsesEndpoint, StoredResponses
from pihub.http.data.routes import EDGE_ROUTES
from pihub.protocols.registry import EMBED_CLIENTS, EMBEDDERS, FACES
from pihub.settings.sizes import parse_size
from pihub.shared.access import Access
from pihub.shared.answers import AnswerCache, ByteCache
from pihub.upstream.connector.connector import Connector

if TYPE_CHECKING:
    from pihub.app import Hub

EMBEDDINGS = (
    ("openai_embeddings", "/v1/embeddings"),
    ("ollama_embed", "/api/embed"),
    ("ollama_embeddings", "/api/embeddings"),
)
COUNT = ("count_tokens", "anthropic", "/v1/messages/count_tokens")
SHOW = ("ollama_show", "ollama", "/api/show")
RESPONSES = "/v1/responses"
PROTOCOLS = (
    ("openai", RESPONSES),
    ("openai", "/v1/embeddings"),
    ("ollama", "/api/embed"),
    ("ollama", "/api/embeddings"),
    COUNT[1:],
    SHOW[1:],
)
"""Whose envelope each path's errors have."""


class Beside:
    """A worker's endpoints that are no chats."""

    def __init__(
        self,
        hub: Hub,
        slot: int,
        waiter: Waiter,
        connector: Connector,
        links: Mapping[str, Link],
        pipeline: Pipeline,
        answers: AnswerCache,
        clients: Mapping[str, ClientFormat],
    ) -> None:
        settings, chat = hub.settings, pipeline.stages
        limit = parse_size(settings.limits.answer)
        reached = reached_by(hub)
        paid = Direct(
            links, connector, hub.state, slot, limit=limit, purse=chat.purse, reached=reached
        )
        free = Direct(links, connector, hub.state, slot, limit=limit, reached=reached)
        embed = Embed(
            paid,
            {kind: make() for kind, make in EMBEDDERS.items()},
            chat.remember,
            answers,
            hub.state,
            ttl=settings.cache.ttl,
        )
        embedding = Pipeline(_stages(chat, embed))
        self.posts = {
            what: ChatEndpoint(EMBED_CLIENTS[path](), EDGE_ROUTES[path], embedding, waiter)
            for what, path in EMBEDDINGS
        }
        for (what, name, path), work in ((COUNT, Count(free)), (SHOW, Show(free))):
            self.posts[what] = ChatEndpoint(
                clients[name], EDGE_ROUTES[path], Pipeline(_stages(chat, work)), waiter
            )
        self.running = Running(free, clients["ollama"])
        cache = ByteCache(hub.state.cache, hub.state.arena.secret, hub.loaded.epoch)
        self.stored = StoredResponses(cache, settings.gateway.responses_ttl)
        self.posts["openai_responses"] = ResponsesEndpoint(
            EDGE_ROUTES[RESPONSES], pipeline, waiter, self.stored
        )


def _stages(chat: Stages, work: Embed | Count | Show) -> DirectStages:
    parts = {name: getattr(chat, name) for name in Stages.__dataclass_fields__}
    parts["patience"] = None  # nothing of the kind streams
    parts["later"] = None  # nor becomes a job
    return DirectStages(**parts, inspects=work.inspect, works=work.__call__)


def manage_sink(
    hub: Hub,
    links: Mapping[str, Link],
    access: Access,
    connector: Connector,
    waiter: Waiter,
) -> Manage:
    """The way to a real Ollama's own commands."""
    wanted = hub.settings.ollama
    return Manage(
        links.get(wanted.manage),
        frozenset(wanted.manage_keys),
        access,
        connector,
        waiter,
        parse_size(hub.settings.limits.body),
    )


def with_faces(link: Link) -> Link:
    """The link, and how it looks to client formats that it has an endpoint of its own for."""
    faces = {}
    for (kind, client), make in FACES.items():
        if kind == link.kind:
            form = make()
            faces[client] = replace(link, format=form, chat_path=link.path(form.path))
    return replace(link, faces=faces)
