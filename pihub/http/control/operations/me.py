"""/me: the caller's own account. /sessions: everybody's. /audit: what was done."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from pihub.errors import Forbidden, LoginRequired, NotFound, TooManyAttempts
from pihub.http.control.operation import SELF, Call, Operation
from pihub.http.control.operations.users import Password
from pihub.http.control.paging import Page, PageQuery, Place
from pihub.http.control.shapes import Input, Output
from pihub.store.audit import AuditRow
from pihub.store.people import SessionRow


class MeView(Output, frozen=True):
    kind: str
    name: str
    user: int | None
    tenant_id: int | None
    permissions: list[str]


class OwnPasswordBody(Input, frozen=True):
    old: Password
    password: Password


class EnrolView(Output, frozen=True):
    """Shown once: for an authenticator app, and codes for the day the phone is lost."""

    totp_uri: str
    recovery_codes: list[str]


class SessionView(Output, frozen=True):
    id: int
    user: int
    created: int
    seen: int
    ends: int
    source: str
    agent: str


class AuditView(Output, frozen=True):
    """`at` in unix seconds; `hash` chains the rows."""

    seq: int
    at: float
    actor: str
    source: str
    tenant_id: int | None
    action: str
    object: str
    result: str
    before: Any
    after: Any
    hash: str


class VerdictView(Output, frozen=True):
    """`broken`: the first row that does not fit, null: none. `head`: keep it elsewhere."""

    rows: int
    broken: int | None
    head: str


def _me(call: Call) -> MeView:
    actor = call.actor
    return MeView(
        kind=actor.kind,
        name=actor.name,
        user=actor.number if actor.kind == "session" else None,
        tenant_id=actor.tenant,
        permissions=sorted(actor.permissions),
    )


def _own(call: Call) -> int:
    if call.actor.kind != "session":
        raise Forbidden("this is for users who are logged in")
    return call.actor.number


def _password(call: Call) -> None:
    number = _own(call)
    call.services.access.accounts.change_own_password(
        number, call.body.old, call.body.password, call.actor.source
    )


def _enrol(call: Call) -> EnrolView:
    number = _own(call)
    host = urlsplit(call.services.public_url).hostname or "pihub"
    accounts = call.services.access.accounts
    accounts.confirm(number, call.body.password, call.actor.source)
    made = accounts.enrol(number, host)
    return EnrolView(totp_uri=made.uri, recovery_codes=made.recovery_codes)


def _session(row: SessionRow) -> SessionView:
    return SessionView(
        id=row.id,
        user=row.user,
        created=row.created,
        seen=row.seen,
        ends=row.ends,
        source=row.source,
        agent=row.agent,
    )


def _sessions_of(call: Call, user: int | None) -> Page[SessionView]:
    access = call.services.access
    rows = [
        _session(row)
        for row in access.accounts.people.sessions(user)
        if not access.sessions.ended(row)
    ]
    return call.pager.whole(rows, lambda row: (row.id,))


def _own_sessions(call: Call) -> Page[SessionView]:
    return _sessions_of(call, _own(call))


def _all_sessions(call: Call) -> Page[SessionView]:
    return _sessions_of(call, None)


def _end(call: Call, user: int | None) -> SessionView:
    people = call.services.access.accounts.people
    for row in people.sessions(user):
        if row.id == call.path["number"]:
            people.end(row.id)
            return _session(row)
    raise NotFound(f"there is no session {call.path['number']}")


def _end_own(call: Call) -> SessionView:
    return _end(call, _own(call))


def _end_any(call: Call) -> SessionView:
    return _end(call, None)


def _audited(row: AuditRow) -> AuditView:
    return AuditView(
        seq=row.seq,
        at=row.at / 1e9,
        actor=row.actor,
        source=row.source,
        tenant_id=row.tenant,
        action=row.action,
        object=row.object,
        result=row.result,
        before=_json(row.before),
        after=_json(row.after),
        hash=row.hash.hex(),
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:  # it was longer than what is kept
        return text


def _audit(call: Call) -> Page[AuditView]:
    log, tenant = call.services.access.audit, call.actor.tenant

    def fetch(place: Place | None, count: int) -> list[AuditRow]:
        if place is None:
            return log.page(tenant, None, False, count)
        return log.page(tenant, int(place.key[0]), place.backward, count)

    return call.pager.page(fetch, lambda row: (row.seq,), _audited)


def _verify(call: Call) -> VerdictView:
    found = call.services.access.audit.verify()
    return VerdictView(rows=found.rows, broken=found.broken or None, head=found.head)


class ConfirmBody(Input, frozen=True):
    password: Annotated[str, Meta(max_length=256)]


OPERATIONS = (
    Operation("GET", "/me", SELF, "Who you are, and what you may do", _me, MeView, tenanted=True),
    Operation(
        "POST",
        "/me/password",
        SELF,
        "Another password of your own; all your sessions end",
        _password,
        None,
        body=OwnPasswordBody,
        status=204,
        errors=(LoginRequired, TooManyAttempts),
        tenanted=True,
    ),
    Operation(
        "POST",
        "/me/totp",
        SELF,
        "Switches your second factor on, or renews it; the secret is shown this once",
        _enrol,
        EnrolView,
        body=ConfirmBody,
        errors=(LoginRequired, TooManyAttempts),
        tenanted=True,
    ),
    Operation(
        "GET",
        "/me/sessions",
        SELF,
        "Where you are logged in",
        _own_sessions,
        Page[SessionView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "DELETE",
        "/me/sessions/{number:int}",
        SELF,
        "Logs one of your browsers out",
        _end_own,
        SessionView,
        errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "GET",
        "/sessions",
        "sessions:read",
        "Who is logged in, and from where",
        _all_sessions,
        Page[SessionView],
        query=PageQuery,
    ),
    Operation(
        "DELETE",
        "/sessions/{number:int}",
        "sessions:write",
        "Logs a browser out",
        _end_any,
        SessionView,
        errors=(NotFound,),
    ),
    Operation(
        "GET",
        "/audit",
        "audit:read",
        "Who did what, newest first, with what it was before and after",
        _audit,
        Page[AuditView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "GET",
        "/audit/verify",
        "audit:read",
        "Whether the chain of the audit log is whole",
        _verify,
        VerdictView,
    ),
)
