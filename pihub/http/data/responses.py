"""/v1/responses: its requests, and what is stored of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec

from pihub.domain.ports import Waiter
from pihub.errors import NotFound
from pihub.gateway.pipeline import Pipeline
from pihub.http.data.chat import ChatEndpoint
from pihub.protocols.jsontext import encode
from pihub.protocols.responses.client import ResponsesClient
from pihub.protocols.responses.response import Kept
from pihub.shared.access import Access
from pihub.shared.answers import ByteCache


class StoredResponses:
    """Responses of all tenants in the shared cache: bounded by it, gone when it is full or
    the hub starts anew. One response: at most `cache.max_value` bytes."""

    def __init__(self, cache: ByteCache, ttl: float) -> None:
        self._cache = cache
        self._ttl = ttl
        self._decode = msgspec.json.Decoder(Kept).decode

    def of(self, tenant: int) -> Tenants:
        """One tenant's part."""
        return Tenants(self, tenant)

    def get(self, tenant: int, id_: str) -> Kept | None:
        found = self._cache.get(_key(id_), tenant)
        if found is None or found[1] > 0:
            return None
        try:
            return self._decode(found[0])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # kept by another version of the hub

    def put(self, tenant: int, id_: str, kept: Kept) -> bool:
        data = encode(kept)
        if len(data) > self._cache.max_value:
            return False
        return self._cache.put(_key(id_), tenant, data, self._ttl, 0.0) > 0

    def delete(self, tenant: int, id_: str) -> bool:
        return self._cache.delete(_key(id_), tenant)


class Tenants:
    """See Past."""

    def __init__(self, store: StoredResponses, tenant: int) -> None:
        self._store = store
        self._tenant = tenant

    def get(self, id_: str) -> Kept | None:
        return self._store.get(self._tenant, id_)

    def put(self, id_: str, kept: Kept) -> bool:
        return self._store.put(self._tenant, id_, kept)


def _listed(item: dict[str, Any], number: int) -> dict[str, Any]:
    """An input item as the list shows it: with an id, a status and typed parts."""
    item = {"type": "message", "id": f"item_{number}", "status": "completed", **item}
    if isinstance(item.get("content"), str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        part: dict[str, Any] = {"type": kind, "text": item["content"]}
        if kind == "output_text":
            part |= {"annotations": [], "logprobs": []}
        item["content"] = [part]
    return item


def _key(id_: str) -> bytes:
    return b"response\0" + id_.encode("utf-8", "replace")


class ResponsesEndpoint(ChatEndpoint):
    """POST /v1/responses: each request's format knows what its tenant said before."""

    def __init__(
        self, route: int, pipeline: Pipeline, waiter: Waiter, store: StoredResponses
    ) -> None:
        super().__init__(ResponsesClient(), route, pipeline, waiter)
        self._parts = route, pipeline, waiter
        self._store = store

    def __call__(self, env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        principal = env.get("pihub.principal")
        if principal is None:
            return super().__call__(env, start_response)
        client = ResponsesClient(self._store.of(principal[1]))
        return ChatEndpoint(client, *self._parts)(env, start_response)


class OneResponse:
    """GET and DELETE /v1/responses/ID, GET /v1/responses/ID/input_items."""

    def __init__(self, store: StoredResponses, access: Access) -> None:
        self._store = store
        self._access = access

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        id_, _, what = name.partition("/")
        kept = self._store.get(self._tenant(req, resp), id_)
        if kept is None or what not in ("", "input_items"):
            raise NotFound(f"there is no response {id_[:80]!r}")
        if not what:
            resp.data = bytes(kept.response)
            return
        items = [_listed(msgspec.json.decode(item), n) for n, item in enumerate(kept.input)]
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
        resp.data = encode({"object": "list", "data": items[::-1], "has_more": False, **ends})

    def on_delete(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        if not self._store.delete(self._tenant(req, resp), name):
            raise NotFound(f"there is no response {name[:80]!r}")
        resp.data = encode({"id": name, "object": "response", "deleted": True})

    def _tenant(self, req: falcon.Request, resp: falcon.Response) -> int:
        env = req.env
        who = self._access.principal(env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY"))
        self._access.hit(who)
        self._access.permit(who, env.get("REMOTE_ADDR", ""))
        resp.content_type = "application/json"
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        return who.tenant
