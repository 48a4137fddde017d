"""/tenants: whose keys, and what they may use together."""

from __future__ import annotations

import time
from typing import Annotated

from msgspec import Meta

from pihub.errors import Conflict, NotFound, Overloaded
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.security.scope import Names
from pihub.store.rows import TenantRow


class TenantView(Output, frozen=True):
    """null for models and apis: all; for the quota: none of its own."""

    id: int
    name: str
    created: int
    disabled: int | None
    requests_per_minute: int | None
    models: list[str] | None
    apis: list[str] | None
    keys: int


class NewTenantBody(Input, frozen=True):
    name: Annotated[str, Meta(max_length=63)]


class TenantBody(Input, frozen=True):
    disabled: bool = False
    requests_per_minute: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    models: Names | None = None
    apis: Names | None = None


def _shown(row: TenantRow) -> TenantView:
    return TenantView(
        id=row.id,
        name=row.name,
        created=row.created,
        disabled=row.disabled or None,
        requests_per_minute=row.requests_per_minute or None,
        models=row.models,
        apis=row.apis,
        keys=row.keys,
    )


def _list(call: Call) -> Page[TenantView]:
    rows = [
        _shown(row)
        for row in call.services.keys.tenants()
        if call.actor.tenant in (None, row.id)
    ]
    return call.pager.whole(rows, lambda row: (row.id,))


def _one(call: Call) -> TenantView:
    return _shown(_tenant(call))


def _tenant(call: Call) -> TenantRow:
    number = call.path["number"]
    if call.actor.tenant not in (None, number):
        raise NotFound(f"there is no tenant {number}")
    return call.services.keys.tenant(number)


def _create(call: Call) -> TenantView:
    return _shown(call.services.keys.create_tenant(call.body.name))


def _change(call: Call) -> TenantView:
    body: TenantBody = call.body
    row = _tenant(call)
    disabled = row.disabled or int(time.time())
    changed = row._replace(
        disabled=disabled if body.disabled else 0,
        requests_per_minute=body.requests_per_minute or 0,
        models=body.models,
        apis=body.apis,
    )
    return _shown(call.services.keys.change_tenant(changed))


OPERATIONS = (
    Operation(
        "GET",
        "/tenants",
        "tenants:read",
        "All tenants",
        _list,
        Page[TenantView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "POST",
        "/tenants",
        "tenants:write",
        "A new tenant",
        _create,
        TenantView,
        body=NewTenantBody,
        status=201,
        errors=(Conflict, Overloaded),
    ),
    Operation(
        "GET",
        "/tenants/{number:int}",
        "tenants:read",
        "One tenant",
        _one,
        TenantView,
        errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "PUT",
        "/tenants/{number:int}",
        "tenants:write",
        "Its quota, models, APIs, and whether it is disabled; in force for all its keys at once",
        _change,
        TenantView,
        body=TenantBody,
        errors=(NotFound, Overloaded),
    ),
)
