"""/keys: made, listed, revoked."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from msgspec import Meta

from pihub.errors import NotFound, Overloaded
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Key, Page, PageQuery, among
from pihub.http.control.shapes import Input, Output
from pihub.store.rows import KeyRow

State = Literal["live", "expired", "revoked"]


class KeyView(Output, frozen=True):
    """An API key, without the key."""

    id: int
    tenant: str
    tenant_id: int
    name: str
    hint: str
    created: int
    expires: int | None
    revoked: int | None
    state: State


class NewKeyView(KeyView, frozen=True):
    """With the key itself, this once."""

    token: str


class KeyQuery(PageQuery, frozen=True):
    tenant: str = ""
    state: State | Literal[""] = ""
    sort: Literal["id", "-id", "name", "-name"] = "id"


class NewKeyBody(Input, frozen=True):
    name: Annotated[str, Meta(max_length=200)]
    tenant: Annotated[str, Meta(max_length=63)] = "default"
    expires_in: Annotated[int, Meta(description="Seconds from now; null: never")] | None = None


def shown(row: KeyRow) -> KeyView:
    state: State = "live"
    if row.revoked:
        state = "revoked"
    elif row.expires and row.expires <= time.time():
        state = "expired"
    return KeyView(
        id=row.id,
        tenant=row.tenant_name,
        tenant_id=row.tenant,
        name=row.name,
        hint=row.hint,
        created=row.created,
        expires=row.expires or None,
        revoked=row.revoked or None,
        state=state,
    )


def _list(call: Call) -> Page[KeyView]:
    query: KeyQuery = call.query
    rows = [
        row
        for row in map(shown, call.services.keys.list())
        if query.tenant in ("", row.tenant) and query.state in ("", row.state)
    ]

    def key(row: KeyView) -> Key:
        return (row.name, row.id) if query.sort.endswith("name") else (row.id,)

    return call.pager.page(
        among(rows, key, descending=query.sort.startswith("-")), key, lambda row: row
    )


def _one(call: Call) -> KeyView:
    for row in call.services.keys.list():
        if row.id == call.path["number"]:
            return shown(row)
    raise NotFound(f"there is no key {call.path['number']}")


def _create(call: Call) -> NewKeyView:
    body: NewKeyBody = call.body
    made = call.services.keys.create(body.tenant, body.name, body.expires_in)
    view = shown(made.key)
    return NewKeyView(
        **{name: getattr(view, name) for name in view.__struct_fields__}, token=made.token
    )


def _revoke(call: Call) -> KeyView:
    return shown(call.services.keys.revoke(call.path["number"]))


OPERATIONS = (
    Operation(
        "GET",
        "/keys",
        "keys:read",
        "All keys, revoked ones too; never a token",
        _list,
        Page[KeyView],
        query=KeyQuery,
    ),
    Operation(
        "POST",
        "/keys",
        "keys:write",
        "A new key, in force at once; the answer has its `token`, which is shown this once",
        _create,
        NewKeyView,
        body=NewKeyBody,
        status=201,
        errors=(Overloaded,),
    ),
    Operation(
        "GET",
        "/keys/{number:int}",
        "keys:read",
        "One key",
        _one,
        KeyView,
        errors=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/keys/{number:int}",
        "keys:write",
        "Revokes a key: out of force when the answer arrives",
        _revoke,
        KeyView,
        errors=(NotFound,),
    ),
)
