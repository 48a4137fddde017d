"""The table of operations as Falcon resources: read, authorise, call, answer.

In this order: permission, query, body, If-Match, Idempotency-Key, the handler; then field
selection, ETag and Link. Writes run one at a time, so that an If-Match holds until the
change is made.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_args, get_origin

import falcon
import msgspec

from pihub.errors import BadRequest, PihubError, PreconditionFailed, PreconditionRequired
from pihub.http.control import forms
from pihub.http.control.idempotency import Replays
from pihub.http.control.operation import API, Call, Operation, Reply
from pihub.http.control.paging import Page, Pager, scope_of, select
from pihub.http.control.services import ControlServices
from pihub.security.actor import NOBODY, Actor

Observer = Callable[[Operation, Call, Any, int], None]
"""(operation, call, value or None, status): told of every write after it was done."""


class Answer(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Dispatcher:
    """Makes one Falcon resource a path out of the table."""

    def __init__(
        self,
        operations: Iterable[Operation],
        services: ControlServices,
        observe: Observer | None = None,
    ) -> None:
        self._operations = tuple(operations)
        self._services = services
        self._observe = observe
        self._replays = Replays()
        self._writing = threading.RLock()
        self._gets = {one.path: one for one in self._operations if one.method == "GET"}

    def routes(self) -> list[tuple[str, object]]:
        """(URI template, resource)"""
        found: dict[str, _Resource] = {}
        for one in self._operations:
            resource = found.setdefault(one.path, _Resource())
            responder = self._responder(one)
            setattr(resource, f"on_{one.method.lower()}", responder)
            if one.method == "GET":
                setattr(resource, "on_head", responder)  # noqa: B010 - dynamic like the others
        return [(API + path, resource) for path, resource in found.items()]

    def _responder(self, operation: Operation) -> Callable[..., None]:
        def respond(req: falcon.Request, resp: falcon.Response, **path: Any) -> None:
            actor: Actor = req.env.get("pihub.actor", NOBODY)
            actor.require(operation.permission)
            query = _query(req, operation)
            if operation.method == "GET":
                answer = self._run(operation, self._call(req, operation, actor, path, query, None))
            else:
                answer = self._write(req, operation, actor, path, query)
            resp.status = answer.status
            resp.content_type = operation.media
            for name, value in answer.headers:
                resp.append_header(name, value)
            if operation.method == "GET" and _matches(req.get_header("if-none-match"), resp):
                resp.status = 304
                return
            resp.data = answer.body

        return respond

    def _write(
        self, req: falcon.Request, operation: Operation, actor: Actor, path: Any, query: Any
    ) -> Answer:
        raw = forms.raw(req)
        body = None
        if operation.body is not None:
            body = forms.typed(raw, operation.body)
        elif raw:
            raise BadRequest("this operation takes no body")
        call = self._call(req, operation, actor, path, query, body)
        key = req.get_header("idempotency-key")
        if operation.method != "POST" or key is None:
            with self._writing:
                self._precondition(req, operation, actor, path)
                return self._run(operation, call)
        scope = (actor.kind, actor.name, req.path, key)
        kept = self._replays.begin(scope, raw)
        if kept is not None and kept.body is not None:
            replayed = (*kept.headers, ("idempotency-replayed", "true"))
            return Answer(kept.status, replayed, kept.body)
        try:
            with self._writing:
                answer = self._run(operation, call)
        except BaseException:
            self._replays.forget(scope)
            raise
        self._replays.finish(scope, answer.status, answer.headers, answer.body)
        return answer

    def _call(
        self,
        req: falcon.Request,
        operation: Operation,
        actor: Actor,
        path: Any,
        query: Any,
        body: Any,
    ) -> Call:
        parameters = [(name, str(value)) for name, value in req.params.items()]
        scope = scope_of(operation.id, actor.tenant, parameters)
        kept = "&".join(
            part for part in req.query_string.split("&") if part and part[:7] != "cursor="
        )
        url = f"{req.path}?{kept}" if kept else req.path
        pager = Pager(self._services.secret, scope, query, url)
        rid = req.env.get("pihub.rid_hex", "")
        return Call(self._services, actor, path, query, body, pager, rid)

    def _precondition(
        self, req: falcon.Request, operation: Operation, actor: Actor, path: Any
    ) -> None:
        wanted = req.get_header("if-match")
        if wanted is None:
            if operation.must_match:
                raise PreconditionRequired("send the ETag of the last GET as If-Match")
            return
        sibling = self._gets.get(operation.path)
        if sibling is None:
            raise BadRequest("this path has no ETag to match")
        call = self._call(req, sibling, actor, path, sibling.query(), None)
        tags = dict(self._run(sibling, call).headers)
        if wanted != "*" and tags.get("etag") not in _tags(wanted):
            raise PreconditionFailed("it changed since you read it: read it again")

    def _run(self, operation: Operation, call: Call) -> Answer:
        try:
            found = operation.handler(call)
        except PihubError as error:
            self._told(operation, call, None, error.status)
            raise
        reply = found if isinstance(found, Reply) else Reply(found)
        value, headers = reply.value, list(reply.headers)
        status = reply.status or operation.status
        self._told(operation, call, value, status)
        fields = getattr(call.query, "fields", "")
        if fields:
            value = select(value, fields, _field_names(operation.output))
        if call.pager.links:
            links = [f'<{url}>; rel="{relation}"' for relation, url in call.pager.links]
            headers.append(("link", ", ".join(links)))
        if value is None:
            data = b""
        else:
            data = value if isinstance(value, bytes) else msgspec.json.encode(value)
        if operation.method == "GET":
            tag = hashlib.blake2b(data, digest_size=12).hexdigest()
            headers.append(("etag", f'"{tag}"'))
        return Answer(status, tuple(headers), data)

    def _told(self, operation: Operation, call: Call, value: Any, status: int) -> None:
        if self._observe is not None and operation.method != "GET":
            self._observe(operation, call, value, status)


class _Resource:
    """Gets its `on_...` from the table."""


def _query(req: falcon.Request, operation: Operation) -> Any:
    for name, value in req.params.items():
        if isinstance(value, list):
            raise BadRequest(f"{name[:50]} occurs twice", param=name[:50])
    return forms.convert(req.params, operation.query, strict=False)


def _tags(header: str) -> list[str]:
    return [one.strip().removeprefix("W/") for one in header.split(",")]


def _matches(header: str | None, resp: falcon.Response) -> bool:
    tag = resp.get_header("etag")
    return header is not None and (header == "*" or tag in _tags(header))


def item_type(output: Any) -> Any:
    """What a page is of; else the type itself."""
    return get_args(output)[0] if get_origin(output) is Page else output


def _field_names(output: Any) -> list[str]:
    one = item_type(output)
    if isinstance(one, type) and issubclass(one, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(one)]
    return []
