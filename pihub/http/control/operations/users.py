"""/users and /roles: who may log in, and what they may do."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pihub.errors import Conflict, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.security.accounts import LOCAL
from pihub.security.permissions import ROLES
from pihub.store.people import UserRow

Password = Annotated[str, Meta(max_length=256)]
RoleName = Annotated[str, Meta(max_length=32)]


class UserView(Output, frozen=True):
    """A user; the identity is (issuer, subject)."""

    id: int
    issuer: str
    subject: str
    name: str
    role: str
    tenant_id: int | None
    second_factor: bool
    recovery_codes_left: int
    created: int
    disabled: int | None
    last_login: int | None


class NewUserBody(Input, frozen=True):
    subject: Annotated[str, Meta(max_length=200)]
    password: Password | None = None
    role: RoleName = "viewer"
    name: Annotated[str, Meta(max_length=100)] = ""
    issuer: Annotated[str, Meta(max_length=200)] = LOCAL
    tenant_id: int | None = None


class UserBody(Input, frozen=True):
    role: RoleName
    name: Annotated[str, Meta(max_length=100)] = ""
    tenant_id: int | None = None
    disabled: bool = False


class PasswordBody(Input, frozen=True):
    password: Password


class RoleView(Output, frozen=True):
    name: str
    built_in: bool
    permissions: list[str]


class RoleBody(Input, frozen=True):
    permissions: Annotated[list[str], Meta(max_length=100)]


class GroupView(Output, frozen=True):
    """A group that an identity provider tells of, and the role that it gives."""

    issuer: str
    group: str
    role: str


class GroupBody(Input, frozen=True):
    """An empty role removes the mapping."""

    issuer: Annotated[str, Meta(max_length=200)]
    group: Annotated[str, Meta(max_length=200)]
    role: RoleName


def shown(row: UserRow) -> UserView:
    return UserView(
        id=row.id,
        issuer=row.issuer,
        subject=row.subject,
        name=row.name,
        role=row.role,
        tenant_id=row.tenant,
        second_factor=row.totp is not None,
        recovery_codes_left=row.codes_left,
        created=row.created,
        disabled=row.disabled or None,
        last_login=row.last_login or None,
    )


def _list(call: Call) -> Page[UserView]:
    rows = [shown(row) for row in call.services.access.accounts.people.users()]
    return call.pager.whole(rows, lambda row: (row.id,))


def _one(call: Call) -> UserView:
    return shown(call.services.access.accounts.get(call.path["number"]))


def _create(call: Call) -> UserView:
    body: NewUserBody = call.body
    if body.tenant_id is not None:
        call.services.keys.tenant(body.tenant_id)
    return shown(
        call.services.access.accounts.create(
            body.subject,
            body.password,
            body.role,
            name=body.name,
            issuer=body.issuer,
            tenant=body.tenant_id,
            by=call.actor,
        )
    )


def _change(call: Call) -> UserView:
    body: UserBody = call.body
    if body.tenant_id is not None:
        call.services.keys.tenant(body.tenant_id)
    return shown(
        call.services.access.accounts.change(
            call.path["number"],
            role=body.role,
            tenant=body.tenant_id,
            name=body.name,
            disabled=body.disabled,
            by=call.actor,
        )
    )


def _password(call: Call) -> UserView:
    accounts = call.services.access.accounts
    return shown(accounts.set_password(call.path["number"], call.body.password, call.actor))


def _no_totp(call: Call) -> UserView:
    return shown(call.services.access.accounts.forget_totp(call.path["number"], call.actor))


def _roles(call: Call) -> Page[RoleView]:
    rows = [
        RoleView(name=name, built_in=True, permissions=sorted(found))
        for name, found in ROLES.items()
    ] + [
        RoleView(name=name, built_in=False, permissions=sorted(found))
        for name, found in call.services.access.accounts.people.roles().items()
    ]
    return call.pager.whole(rows, lambda row: (row.name,))


def _put_role(call: Call) -> RoleView:
    name, accounts = call.path["name"], call.services.access.accounts
    accounts.put_role(name, call.body.permissions, call.actor)
    found = sorted(accounts.permissions(name))
    return RoleView(name=name, built_in=False, permissions=found)


def _drop_role(call: Call) -> RoleView:
    name = call.path["name"]
    found = call.services.access.accounts.drop_role(name, call.actor)
    return RoleView(name=name, built_in=False, permissions=found)


def _groups(call: Call) -> Page[GroupView]:
    rows = [
        GroupView(issuer=issuer, group=group, role=role)
        for issuer, group, role in call.services.access.accounts.people.groups()
    ]
    return call.pager.whole(rows, lambda row: (row.issuer, row.group))


def _put_group(call: Call) -> GroupView:
    body: GroupBody = call.body
    call.services.access.accounts.put_group(body.issuer, body.group, body.role, call.actor)
    return GroupView(issuer=body.issuer, group=body.group, role=body.role)


_MISSING = (NotFound, Conflict)
OPERATIONS = (
    Operation(
        "GET", "/users", "users:read", "All users", _list, Page[UserView], query=PageQuery
    ),
    Operation(
        "POST",
        "/users",
        "users:write",
        "A new user; without `password` one who cannot log in by password",
        _create,
        UserView,
        body=NewUserBody,
        status=201,
        errors=_MISSING,
    ),
    Operation(
        "GET", "/users/{number:int}", "users:read", "One user", _one, UserView, errors=(NotFound,)
    ),
    Operation(
        "PUT",
        "/users/{number:int}",
        "users:write",
        "Role, name, tenant, and whether the user is disabled; in force at the next request",
        _change,
        UserView,
        body=UserBody,
        errors=_MISSING,
    ),
    Operation(
        "POST",
        "/users/{number:int}/password",
        "users:write",
        "Another password; all sessions of the user end",
        _password,
        UserView,
        body=PasswordBody,
        errors=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/users/{number:int}/totp",
        "users:write",
        "Takes the second factor away, for a lost phone",
        _no_totp,
        UserView,
        errors=(NotFound,),
    ),
    Operation(
        "GET",
        "/roles",
        "roles:read",
        "Built-in and custom roles with their permissions",
        _roles,
        Page[RoleView],
        query=PageQuery,
    ),
    Operation(
        "PUT",
        "/roles/{name}",
        "roles:write",
        "Makes or changes a custom role",
        _put_role,
        RoleView,
        body=RoleBody,
    ),
    Operation(
        "DELETE",
        "/roles/{name}",
        "roles:write",
        "Removes a custom role that nobody has",
        _drop_role,
        RoleView,
        errors=_MISSING,
    ),
    Operation(
        "GET",
        "/role-groups",
        "roles:read",
        "Which groups of an identity provider give which role",
        _groups,
        Page[GroupView],
        query=PageQuery,
        tags=("roles",),
    ),
    Operation(
        "PUT",
        "/role-groups",
        "roles:write",
        "Maps a group of an identity provider to a role",
        _put_group,
        GroupView,
        body=GroupBody,
        tags=("roles",),
    ),
)
