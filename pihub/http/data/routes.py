"""The map of the data plane: every path that a worker answers.

docs/routes.md lists the same; a test compares the two. POSTs marked `edge` are
authenticated, limited and looked up by the edge, and answered beside Falcon (chat.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import falcon

from pihub.http.data.chat import ChatEndpoint, Front
from pihub.http.data.errors import ErrorMapper, not_found
from pihub.http.data.manage import PATHS as MANAGED
from pihub.shared.metrics import Route

FIXED: tuple[tuple[str, str, str], ...] = (
    # method, path, what
    ("POST", "/v1/chat/completions", "openai_chat"),  # edge
    ("POST", "/v1/messages", "anthropic_messages"),  # edge
    ("POST", "/api/chat", "ollama_chat"),  # edge
    ("POST", "/v1/completions", "openai_completions"),  # edge
    ("POST", "/v1/responses", "openai_responses"),  # edge
    ("POST", "/v1/embeddings", "openai_embeddings"),  # edge
    ("POST", "/v1/messages/count_tokens", "count_tokens"),  # edge
    ("POST", "/api/generate", "ollama_generate"),  # edge
    ("POST", "/api/embed", "ollama_embed"),  # edge
    ("POST", "/api/embeddings", "ollama_embeddings"),  # edge
    ("POST", "/api/show", "ollama_show"),  # edge
    ("GET", "/v1/models", "models"),
    ("GET", "/v1/models/{name:path}", "model"),
    ("GET", "/v1/responses/{name:path}", "response"),
    ("DELETE", "/v1/responses/{name:path}", "response"),
    ("GET", "/v1/jobs", "jobs"),
    ("GET", "/v1/jobs/{id_}", "job"),
    ("DELETE", "/v1/jobs/{id_}", "job"),
    ("GET", "/api/tags", "tags"),
    ("GET", "/api/ps", "ollama_ps"),
    ("GET", "/api/version", "ollama_version"),
    ("GET", "/", "root"),
    ("HEAD", "/", "root"),
    ("GET", "/healthz", "healthz"),
    ("GET", "/readyz", "readyz"),
    ("GET", "/metrics", "metrics"),
)
SINKS: tuple[tuple[str, str], ...] = (
    ("/admin", "control"),
    ("/dashboard", "control"),
    ("/webhooks", "webhooks"),
    *((path, "ollama_manage") for path in MANAGED),
)
"""Prefixes passed on whole; [apis.NAME] adds its own prefix each."""

EDGE_ROUTES: dict[str, int] = {
    "/v1/chat/completions": Route.OPENAI_CHAT,
    "/v1/messages": Route.ANTHROPIC_MESSAGES,
    "/api/chat": Route.OLLAMA_CHAT,
    "/v1/completions": Route.OPENAI_COMPLETIONS,
    "/v1/responses": Route.OPENAI_RESPONSES,
    "/v1/embeddings": Route.OPENAI_EMBEDDINGS,
    "/v1/messages/count_tokens": Route.COUNT_TOKENS,
    "/api/generate": Route.OLLAMA_GENERATE,
    "/api/embed": Route.OLLAMA_EMBED,
    "/api/embeddings": Route.OLLAMA_EMBED,
    "/api/show": Route.OLLAMA_SHOW,
}


class Sink(Protocol):
    """Answers every method and path below a prefix."""

    def __call__(self, req: falcon.Request, resp: falcon.Response, **kwargs: object) -> None: ...


@dataclass(frozen=True)
class Parts:
    """Endpoints and resources by the names of FIXED and SINKS, the APIs' sinks by prefix."""

    chats: Mapping[str, ChatEndpoint]
    resources: Mapping[str, object]
    sinks: Mapping[str, Sink]
    apis: Mapping[str, Sink]
    errors: ErrorMapper


def build(parts: Parts) -> Front:
    """The WSGI application of one worker, behind the edge."""
    app: falcon.App[falcon.Request, falcon.Response] = falcon.App()
    app.req_options.strip_url_path_trailing_slash = False
    app.req_options.auto_parse_qs_csv = False
    chats = {path: parts.chats[what] for _, path, what in FIXED if what in parts.chats}
    for path, what in dict.fromkeys((p, w) for _, p, w in FIXED):
        if what not in parts.chats:
            app.add_route(path, parts.resources[what])
    # Falcon tries the sink that was added last first: the catch-all goes in first.
    app.add_sink(not_found, "/")
    for prefix, what in SINKS:
        app.add_sink(parts.sinks[what], _below(prefix))
    for prefix, sink in sorted(parts.apis.items()):
        app.add_sink(sink, _below(prefix))
    parts.errors.install(app)
    return Front(chats, app)


def _below(prefix: str) -> str:
    """The prefix itself and what lies below it, not its namesakes (/adminx)."""
    return re.escape(prefix.rstrip("/")) + r"(?=/|$)"
