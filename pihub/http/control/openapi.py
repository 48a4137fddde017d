"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import falcon
import msgspec

from pihub import __version__
from pihub.errors import (
    BadRequest,
    ControlUnavailable,
    Forbidden,
    PihubError,
    PreconditionFailed,
    TooLarge,
    Unauthenticated,
)
from pihub.http.control.operation import API, Operation
from pihub.security.actor import NOBODY, Actor

ALWAYS: tuple[type[PihubError], ...] = (BadRequest, Unauthenticated, Forbidden, ControlUnavailable)
_FIELD = re.compile(r"\{(\w+)(?::(\w+))?[^}]*\}")
_REF = "#/components/schemas/{name}"


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str
    request_id: str


class Document:
    """GET /admin/api/openapi.json"""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._operations = tuple(operations)
        self._data = b""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        actor: Actor = req.env.get("pihub.actor", NOBODY)
        actor.require("status:read")
        if not self._data:
            self._data = msgspec.json.encode(document(self._operations))
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._data

    on_head = on_get


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document. Source: OpenAPI Specification 3.1.1."""
    operations = tuple(operations)
    types: list[Any] = [Problem]
    for one in operations:
        types += [one.output, one.query, *([one.body] if one.body else [])]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = iter(schemas[1:])
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        output, query = next(known), _resolved(next(known), components)
        body = next(known) if one.body else None
        path = paths.setdefault(one.shown_path, {})
        path[one.method.lower()] = _operation(one, output, query, body)
    # Queries are spread over parameters; the document names them nowhere else.
    for one in operations:
        components.pop(one.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pihub admin API",
            "version": __version__,
            "description": "Errors are RFC 9457 problem details; lists have cursors.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"header": []}, {"session": []}],
        "tags": [{"name": name} for name in sorted({one.noun for one in operations})],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "pihub_session"},
            },
        },
        "x-base": API,
    }


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(components[name]) if name else schema


def _operation(
    one: Operation, output: Any, query: dict[str, Any], body: dict[str, Any] | None
) -> dict[str, Any]:
    required = query.get("required", ())
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string"},
        }
        for name, kind in _FIELD.findall(one.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in query.get("properties", {}).items()
    ]
    errors = [*ALWAYS, *one.errors]
    if one.method == "POST":
        parameters.append(_header("Idempotency-Key"))
    elif one.method != "GET":
        parameters.append(_header("If-Match", required=one.must_match))
        errors.append(PreconditionFailed)
    if one.body is not None:
        errors.append(TooLarge)
    responses: dict[str, Any] = {str(one.status): _answer(one, output)}
    for error in sorted(errors, key=lambda error: error.status):
        responses.setdefault(
            str(error.status),
            {
                "description": (error.__doc__ or "").split("\n")[0],
                "content": {
                    "application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}
                },
            },
        )
    found: dict[str, Any] = {
        "operationId": one.id,
        "summary": one.summary,
        "tags": [one.noun],
        "x-permission": one.permission,
        "parameters": parameters,
        "responses": responses,
    }
    if body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return found


def _header(name: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}


def _answer(one: Operation, output: Any) -> dict[str, Any]:
    if one.status == 204:
        return {"description": "Done"}
    schema = output if one.media == "application/json" else {"type": "string"}
    found: dict[str, Any] = {"description": "Done", "content": {one.media: {"schema": schema}}}
    if one.method == "GET":
        found["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return found
