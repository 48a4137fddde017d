"""Ollama's /api/show and /api/ps: what a real Ollama says, or what the hub can say itself."""

from __future__ import annotations

from typing import Any

import msgspec

from pihub.domain.ports import ClientFormat
from pihub.domain.target import Principal, Target
from pihub.errors import BadRequest, ClientGone, PihubError
from pihub.gateway.direct import Direct
from pihub.gateway.exchange import Exchange, Incoming, Reply
from pihub.gateway.explain import explain
from pihub.gateway.link import JSON_BODY, Link
from pihub.protocols.jsontext import bad_json, encode
from pihub.shared.events import CacheState

SHOW, RUNNING = "/api/show", "/api/ps"


class _Show(msgspec.Struct):
    model: str = ""
    name: str = ""
    """The older word for `model`."""
    verbose: bool | None = None


class _Running(msgspec.Struct):
    models: list[dict[str, Any]] = []


_SHOW = msgspec.json.Decoder(_Show)
_RUNNING = msgspec.json.Decoder(_Running)


class Show:
    """The first Ollama of the model's chain answers; a chain without one is described."""

    def __init__(self, direct: Direct) -> None:
        self._direct = direct

    def inspect(self, x: Exchange) -> None:
        """Raises BadRequest."""
        try:
            x.work = wire = _SHOW.decode(x.request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        x.alias = wire.model or wire.name
        if not x.alias:
            raise BadRequest("model: must not be empty", param="model")

    def __call__(self, x: Exchange) -> None:
        x.cache, x.cache_reason, x.cost_nano = CacheState.BYPASS, "show", 0
        local = next((t for t in x.targets if t.kind == "ollama"), None)
        x.target = local or x.targets[0]
        body = described(x.targets[0])
        if local is not None:
            link = self._direct.links[local.upstream]
            asked: dict[str, Any] = {"model": local.model}
            if x.work.verbose is not None:
                asked["verbose"] = x.work.verbose
            headers = [JSON_BODY, *link.auth]
            body = self._direct.send(x, link, "POST", SHOW, headers, encode(asked))
        x.reply = Reply(200, [("content-type", "application/json"), *explain(x)], body)


def described(target: Target) -> bytes:
    """/api/show of a model that lives in no Ollama."""
    return encode(
        {
            "license": "",
            "modelfile": f"# {target.name}, answered through this gateway\n",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": {
                "parent_model": "", "format": "", "family": target.kind,
                "families": [target.kind], "parameter_size": "", "quantization_level": "",
            },
            "model_info": {"general.architecture": target.kind},
            "capabilities": ["completion", "tools", "vision"],
        }
    )  # fmt: skip


def _plain(one: dict[str, Any]) -> str:
    """A loaded model's name as chains write it."""
    return str(one.get("model") or one.get("name") or "").removesuffix(":latest")


class Running:
    """The models that the Ollamas hold in memory, all together."""

    def __init__(self, direct: Direct, client: ClientFormat) -> None:
        self._direct = direct
        self._client = client
        self._links: list[Link] = [k for k in direct.links.values() if k.kind == "ollama"]

    def __call__(self, client_fd: int, only: frozenset[str] | None = None) -> bytes:
        """The body of /api/ps; an Ollama that does not answer adds nothing. `only`: the names
        of models that may be told of; None: all."""
        x = Exchange(Incoming(self._client, 0, b"", Principal(), 0, "", 0, client_fd))
        models: list[dict[str, Any]] = []
        for link in self._links:
            try:
                data = self._direct.send(x, link, "GET", RUNNING, [*link.auth], None)
                models += _RUNNING.decode(data).models
            except ClientGone:
                raise
            except (PihubError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        if only is not None:
            models = [one for one in models if _plain(one) in only]
        return encode({"models": models})
