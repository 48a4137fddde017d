"""/keys: made, listed, changed, rotated, revoked."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pihub.errors import Conflict, Forbidden, NotFound, Overloaded
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Key, Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.security import scope as scopes
from pihub.security.keys import NewlyMade
from pihub.security.keyview import State, fields
from pihub.security.scope import Scope
from pihub.store.rows import KeyRow

Name = Annotated[str, Meta(max_length=200)]


class KeyView(Output, frozen=True):
    """An API key, without the key. Times in unix seconds."""

    id: int
    tenant: str
    tenant_id: int
    user: int | None
    name: str
    hint: str
    scope: Scope
    created: int
    expires: int | None
    revoked: int | None
    used: int | None
    successor: int | None
    state: State


class NewKeyView(KeyView, frozen=True):
    """With the key itself, this once."""

    token: str


class KeyQuery(PageQuery, frozen=True):
    tenant: str = ""
    state: State | Literal[""] = ""
    sort: Literal["id", "-id", "name", "-name"] = "id"


class NewKeyBody(Input, frozen=True):
    name: Name
    tenant: Annotated[str, Meta(max_length=63)] = "default"
    expires_in: Annotated[int, Meta(description="Seconds from now; null: never")] | None = None
    scope: Scope = msgspec.field(default_factory=Scope)


class KeyBody(Input, frozen=True):
    name: Name
    scope: Scope


class RotateBody(Input, frozen=True):
    overlap: Annotated[int, Meta(ge=0, description="Seconds that the old key lives on")] = 86400


def shown(row: KeyRow) -> KeyView:
    return KeyView(**fields(row))


def _new(made: NewlyMade) -> NewKeyView:
    return NewKeyView(**fields(made.key), token=made.token)


def _list(call: Call) -> Page[KeyView]:
    query: KeyQuery = call.query
    rows = [
        row
        for row in map(shown, call.services.keys.list())
        if query.tenant in ("", row.tenant)
        and query.state in ("", row.state)
        and call.actor.tenant in (None, row.tenant_id)
    ]

    def key(row: KeyView) -> Key:
        return (row.name, row.id) if query.sort.endswith("name") else (row.id,)

    return call.pager.whole(rows, key, descending=query.sort.startswith("-"))


def _one(call: Call) -> KeyView:
    return shown(_key(call))


def _key(call: Call) -> KeyRow:
    return call.services.keys.get(call.path["number"], call.actor.tenant)


def _create(call: Call) -> NewKeyView:
    body: NewKeyBody = call.body
    keys = call.services.keys
    tenant = body.tenant
    if call.actor.tenant is not None:
        tenant = keys.tenant(call.actor.tenant).name
        if body.tenant not in ("default", tenant):
            raise Forbidden("you may make keys of your own tenant only")
    _may_grant(call, body.scope)
    _may_last(call, body.expires_in)
    user = call.actor.number if call.actor.kind == "session" else 0
    return _new(keys.create(tenant, body.name, body.expires_in, body.scope, user))


def _change(call: Call) -> KeyView:
    row = _key(call)
    _may_grant(call, call.body.scope)
    return shown(call.services.keys.change(row.id, call.body.name, call.body.scope))


def _rotate(call: Call) -> NewKeyView:
    row = _key(call)
    _may_grant(call, scopes.load(row.scope))
    _may_last(call, row.expires - row.created if row.expires else None)
    return _new(call.services.keys.rotate(row.id, call.body.overlap))


def _revoke(call: Call) -> KeyView:
    return shown(call.services.keys.revoke(_key(call).id))


def _may_grant(call: Call, scope: Scope) -> None:
    """Nobody can make a key that may do more than they may themselves."""
    if not call.actor.permissions.issuperset(scope.admin):
        raise Forbidden("a key cannot have more permissions than you")
    if call.actor.kind == "key":
        own = scopes.load(call.services.keys.get(call.actor.number).scope)
        if scopes.exceeds(scopes.checked(scope), own):
            raise Forbidden("a key cannot make one for more models, APIs or networks than its own")


def _may_last(call: Call, seconds: int | None) -> None:
    """Nor can a key that ends make one that outlives it."""
    if call.actor.kind == "key":
        until = call.services.keys.get(call.actor.number).expires
        if until and (seconds is None or time.time() + seconds > until):
            raise Forbidden("a key that ends cannot make one that outlives it: a user can")


OPERATIONS = (
    Operation(
        "GET",
        "/keys",
        "keys:read",
        "All keys, revoked ones too; never a token",
        _list,
        Page[KeyView],
        query=KeyQuery,
        tenanted=True,
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
        tenanted=True,
    ),
    Operation(
        "GET",
        "/keys/{number:int}",
        "keys:read",
        "One key",
        _one,
        KeyView,
        errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "PUT",
        "/keys/{number:int}",
        "keys:write",
        "Another name and scope, in force when the answer arrives",
        _change,
        KeyView,
        body=KeyBody,
        errors=(NotFound, Overloaded),
        tenanted=True,
    ),
    Operation(
        "POST",
        "/keys/{number:int}/rotate",
        "keys:write",
        "A new key of the same scope; the old one ends after `overlap` seconds",
        _rotate,
        NewKeyView,
        body=RotateBody,
        status=201,
        errors=(NotFound, Conflict, Overloaded),
        tenanted=True,
    ),
    Operation(
        "DELETE",
        "/keys/{number:int}",
        "keys:write",
        "Revokes a key: out of force when the answer arrives",
        _revoke,
        KeyView,
        errors=(NotFound,),
        tenanted=True,
    ),
)
