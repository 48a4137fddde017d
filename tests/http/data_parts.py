"""The data plane's WSGI application with plain parts, and a client of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pihub.domain.target import Target
from pihub.gateway.route import ModelTable
from pihub.http.data.chat import ChatEndpoint
from pihub.http.data.errors import ErrorMapper
from pihub.http.data.health import Healthz, Metrics, Readyz
from pihub.http.data.models import ModelList, OllamaRunning, OllamaVersion, OneModel, Root
from pihub.http.data.routes import EDGE_ROUTES, FIXED, Front, Parts, Sink, build
from pihub.insight.exposition import CONTENT_TYPE
from pihub.protocols.registry import CLIENTS
from pihub.settings.schema import Breaker
from pihub.shared.access import Access
from pihub.shared.health import HealthBoard, configure_breaker
from pihub.shared.state import Plan, SharedState
from tests.upstream.waiter import PollWaiter

KEY = "ph_good"
CLIENT_OF = {
    "openai_chat": "openai",
    "anthropic_messages": "anthropic",
    "ollama_chat": "ollama",
    "openai_completions": "completions",
    "openai_responses": "responses",
    "openai_embeddings": "openai",
    "count_tokens": "anthropic",
    "ollama_generate": "generate",
    "ollama_embed": "ollama",
    "ollama_embeddings": "ollama",
    "ollama_show": "ollama",
}


@dataclass
class Said:
    """One whole answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name]
        assert len(found) < 2, (name, found)
        return found[0] if found else None


class Pages:
    """A sink that says where it was reached."""

    def __call__(self, req: Any, resp: Any, **_: object) -> None:
        resp.text = f"sink {req.path}"


class NoPipeline:
    """A pipeline that must not be reached."""

    def handle(self, request: Any) -> Any:
        raise AssertionError("reached")


class Plane:
    """`sinks` by prefix, beside the control plane's."""

    def __init__(self, control: Sink | None = None, apis: dict[str, Sink] | None = None) -> None:
        self.state = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
        self.state.keys.set_pepper(b"p" * 16)
        self.access = Access(self.state.keys, self.state.limits)
        clients = {name: make() for name, make in CLIENTS.items()}
        self.clients = clients
        configure_breaker(self.state, 0, Breaker(failures=1, open=60.0))
        self.board = HealthBoard(self.state, {"up": 0})
        models = ModelTable({"assistant": [Target("up", "openai", "gpt")]})
        self.errors = ErrorMapper(clients)
        pipeline: Any = NoPipeline()
        paths = {what: path for _, path, what in FIXED}
        self.app: Front = build(
            Parts(
                chats={
                    what: ChatEndpoint(
                        clients[name], EDGE_ROUTES[paths[what]], pipeline, PollWaiter()
                    )
                    for what, name in CLIENT_OF.items()
                },
                resources={
                    "models": ModelList(
                        clients["openai"], clients["anthropic"], models, self.access, 1
                    ),
                    "tags": ModelList(clients["ollama"], None, models, self.access, 1),
                    "model": OneModel(
                        clients["openai"], clients["anthropic"], models, self.access, 1
                    ),
                    "response": Pages(),
                    "jobs": Pages(),
                    "job": Pages(),
                    "ollama_ps": OllamaRunning(
                        lambda fd, only: b'{"models":[]}',  # type: ignore[arg-type]
                        models,
                        self.access,
                        PollWaiter(),
                    ),
                    "ollama_version": OllamaVersion(),
                    "root": Root(),
                    "healthz": Healthz(),
                    "readyz": Readyz(self.state, self.board, ("up",)),
                    "metrics": Metrics(
                        lambda accept: (CONTENT_TYPE, b"pihub_up 1\n"), self.access
                    ),
                },
                sinks={
                    "control": control or Pages(),
                    "webhooks": Pages(),
                    "ollama_manage": Pages(),
                },
                apis=apis or {},
                errors=self.errors,
            )
        )

    def load_keys(self) -> None:
        self.state.keys.put(self.state.keys.hash(KEY.encode()), 3, 4, 0, 0)
        self.state.keys.publish()

    def call(
        self, method: str, path: str, body: bytes = b"", address: str = "127.0.0.1", **fields: str
    ) -> Said:
        """`path` raw, with its query; `fields` with `_` for `-`."""
        return read(self.app, environ(method, path, body, address, **fields))


def environ(
    method: str, path: str, body: bytes = b"", address: str = "127.0.0.1", **fields: str
) -> dict[str, Any]:
    from urllib.parse import unquote_to_bytes

    raw, _, query = path.partition("?")
    env: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "RAW_URI": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "hub",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "pihub.rid": 1,
        "pihub.rid_hex": "00000000000000ab",
        "pihub.t0": 1,
    }
    if body:
        env["CONTENT_LENGTH"] = str(len(body))
    for name, value in fields.items():
        key = name.upper()
        env[key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key] = value
    return env


def read(app: Callable[..., Any], env: dict[str, Any]) -> Said:
    """As a server does: start, iterate, close."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], exc: Any = None) -> None:
        started.append((status, headers))

    body = app(env, start)
    try:
        data = b"".join(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return Said(int(status[:3]), headers, data)
