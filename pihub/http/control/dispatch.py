"""The table of operations as Falcon resources: read, authorise, call, answer.

In this order: permission, query, body, If-Match, Idempotency-Key, the handler; then field
selection, ETag and Link. Writes run one at a time, so that an If-Match holds until the
change is made; what asks another machine (`alone=False`) waits for nobody and holds up nobody.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, get_args, get_origin

import falcon
import msgspec

from pihub.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    PihubError,
    PreconditionFailed,
    PreconditionRequired,
)
from pihub.http.control import forms
from pihub.http.control.idempotency import Replays
from pihub.http.control.operation import API, JSON, SELF, Call, Operation, Reply
from pihub.http.control.paging import Page, Pager, scope_of, select
from pihub.http.control.services import ControlServices
from pihub.security.actor import NOBODY, Actor
from pihub.security.audit import AuditLog

LARGEST = (1 << 63) - 1
"""Of a number in a path: what SQLite's integers hold."""


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
        audit: AuditLog | None = None,
    ) -> None:
        self._operations = tuple(operations)
        self._services = services
        self._audit = audit
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
            if any(isinstance(part, int) and not 0 <= part <= LARGEST for part in path.values()):
                raise NotFound("there is no such number")
            if operation.permission != SELF:
                actor.require(operation.permission)
            if actor.tenant is not None and not operation.tenanted:
                raise Forbidden("this operation is not for users of one tenant")
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
        writing: AbstractContextManager[Any] = self._writing if operation.alone else nullcontext()
        key = req.get_header("idempotency-key")
        if operation.method != "POST" or key is None:
            with writing:
                self._precondition(req, operation, actor, path)
                return self._change(req, operation, call)
        # Names of users differ by who issued them: the number is whose key it is.
        scope = (actor.kind, str(actor.number), req.path, key)
        kept = self._replays.begin(scope, raw)
        if kept is not None and kept.body is not None:
            replayed = (*kept.headers, ("idempotency-replayed", "true"))
            return Answer(kept.status, replayed, kept.body)
        try:
            with writing:
                answer = self._change(req, operation, call)
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
        services = self._services
        if actor.tenant is not None:
            services = services.of_tenant(actor.tenant)
        return Call(services, actor, path, query, body, pager, rid)

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

    def _change(self, req: falcon.Request, operation: Operation, call: Call) -> Answer:
        """A write, and its line in the audit log, which is on the disk before the answer."""
        if self._audit is None or not operation.audited:
            return self._run(operation, call)
        before = self._before(req, operation, call)
        name = req.path.removeprefix(API)
        try:
            answer = self._run(operation, call)
        except PihubError as error:
            self._audit.write(call.actor, operation.id, name, error.code, before, _plain(call.body))
            raise
        after = None
        if answer.body and operation.media == JSON:
            after = msgspec.json.decode(answer.body)
        self._audit.write(call.actor, operation.id, name, str(answer.status), before, after)
        return answer

    def _before(self, req: falcon.Request, operation: Operation, call: Call) -> Any:
        sibling = self._gets.get(operation.path)
        if sibling is None or operation.method == "POST":
            return None
        try:
            path = dict(call.path)
            seen = self._call(req, sibling, call.actor, path, sibling.query(), None)
            return msgspec.json.decode(self._run(sibling, seen).body)
        except PihubError:
            return None

    def _run(self, operation: Operation, call: Call) -> Answer:
        found = operation.handler(call)
        reply = found if isinstance(found, Reply) else Reply(found)
        value, headers = reply.value, list(reply.headers)
        status = reply.status or operation.status
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


class _Resource:
    """Gets its `on_...` from the table."""


def _query(req: falcon.Request, operation: Operation) -> Any:
    for name, value in req.params.items():
        if isinstance(value, list):
            raise BadRequest(f"{name[:50]} occurs twice", param=name[:50])
    return forms.convert(req.params, operation.query, strict=False)


def _plain(body: Any) -> Any:
    return None if body is None else msgspec.to_builtins(body)


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
