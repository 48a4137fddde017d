"""The lists of models in the three shapes, and the small probes of vendors' clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import falcon

from pihub import __version__
from pihub.domain.ports import ClientFormat, Waiter
from pihub.gateway.route import ModelTable
from pihub.gateway.show import Running
from pihub.protocols.anthropic import listing
from pihub.protocols.jsontext import at
from pihub.protocols.ollama.client import OllamaClient, tags
from pihub.shared.access import Access
from pihub.shared.routing import LocalState


class ModelList:
    """GET /v1/models in OpenAI's or Anthropic's shape."""

    def __init__(
        self,
        client: ClientFormat,
        anthropic: ClientFormat | None,
        models: ModelTable,
        access: Access,
        created: int,
    ) -> None:
        self._client = client
        self._anthropic = anthropic
        self._models = models
        self._access = access
        self._created = created

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        env = req.env
        principal = self._access.principal(
            env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY")
        )
        self._access.hit(principal)
        client = self._client
        if self._anthropic is not None and "HTTP_ANTHROPIC_VERSION" in env:
            client = self._anthropic
        resp.content_type = "application/json"
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        names = self._models.names
        scopes = self._access.scopes(principal)
        if scopes is not None:
            scopes.check_network(principal.key, env.get("REMOTE_ADDR", ""))
            names = scopes.models(principal.key, names)
        if client is self._anthropic:
            page, more = listing.paged(names, {k: str(v) for k, v in req.params.items()})
            resp.data = listing.render(page, self._created, more=more)
            return
        resp.data = self.body(client, names)

    def body(self, client: ClientFormat, names: Sequence[str]) -> bytes:
        """The list of what the caller may use."""
        return client.models(names, self._created)


class Tags(ModelList):
    """GET /api/tags: a name is as large as the first Ollama model that it stands for."""

    def __init__(
        self, models: ModelTable, local: LocalState, access: Access, created: int
    ) -> None:
        super().__init__(OllamaClient(), None, models, access, created)
        self._local = local

    def body(self, client: ClientFormat, names: Sequence[str]) -> bytes:
        return tags(names, self._created, self._card)

    def _card(self, name: str) -> dict[str, Any]:
        for target in self._models.find(name):
            if target.kind == "ollama":
                return self._local.card(target)
        return {}


class OneModel:
    """GET /v1/models/NAME in OpenAI's or Anthropic's shape."""

    def __init__(
        self,
        openai: ClientFormat,
        anthropic: ClientFormat,
        models: ModelTable,
        access: Access,
        created: int,
    ) -> None:
        self._openai = openai
        self._anthropic = anthropic
        self._models = models
        self._access = access
        self._created = created

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        env = req.env
        who = self._access.principal(env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY"))
        self._access.hit(who)
        self._access.permit(who, env.get("REMOTE_ADDR", ""), model=self._models.named(name))
        self._models.find(name)
        client = self._anthropic if "HTTP_ANTHROPIC_VERSION" in env else self._openai
        resp.content_type = "application/json"
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        resp.data = at(client.models([name], self._created), "data", 0).encode()


class OllamaRunning:
    """GET /api/ps: what the Ollamas hold in memory, of what the key may use."""

    def __init__(
        self, running: Running, models: ModelTable, access: Access, waiter: Waiter
    ) -> None:
        self._running = running
        self._models = models
        self._access = access
        self._waiter = waiter

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        env = req.env
        who = self._access.principal(env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY"))
        self._access.hit(who)
        self._access.permit(who, env.get("REMOTE_ADDR", ""))
        resp.content_type = "application/json"
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        scopes, only = self._access.scopes(who), None
        if scopes is not None:
            names = scopes.models(who.key, self._models.names)
            only = frozenset(
                target.model.removesuffix(":latest")
                for name in names
                for target in self._models.find(name)
            )
        resp.data = self._running(self._waiter.client_fd(env), only)


class OllamaVersion:
    """GET /api/version: clients of Ollama ask it before anything else."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "application/json"
        resp.data = b'{"version":"0.12.0"}'


class Root:
    """GET / : a browser goes to the page, a client's probe gets a word."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        if "text/html" in (req.accept or ""):
            raise falcon.HTTPFound("/dashboard")
        resp.content_type = "text/plain; charset=utf-8"
        resp.data = f"pihub {__version__} is running\n".encode()

    def on_head(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "text/plain; charset=utf-8"
