"""/security: what the scanner found, and what the admin lets pass."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pihub.domain.finding import Finding
from pihub.errors import NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.store.findings import AllowanceRow

RECENT = 1000


class FindingView(Output, frozen=True):
    """What was found; no part of the value is kept."""

    id: str
    at: float
    """Unix seconds."""
    blocked: bool
    points: int
    kind: str
    rule: str
    place: str
    field: str
    path: str
    offset: int
    tenant: int
    key: int
    """Number of the API key that it came with; 0: none that is known."""


class AllowanceView(Output, frozen=True):
    id: int
    path: str
    place: str
    field: str
    rule: str
    by: str
    at: int


class AllowBody(Input, frozen=True):
    finding: Annotated[str, Meta(min_length=16, max_length=16, description="Id of a finding")]


def _finding(found: Finding) -> FindingView:
    return FindingView(
        id=found.name,
        at=found.ts_ns / 1e9,
        blocked=found.blocked,
        points=found.points,
        kind=found.kind,
        rule=found.rule,
        place=found.place,
        field=found.field,
        path=found.path,
        offset=found.offset,
        tenant=found.tenant,
        key=found.key,
    )


def _allowance(row: AllowanceRow) -> AllowanceView:
    return AllowanceView(**row._asdict())


def _findings(call: Call) -> Page[FindingView]:
    tenant = call.actor.tenant
    rows = [
        _finding(found)
        for found in call.services.scanner.recent(RECENT)
        if tenant is None or found.tenant == tenant
    ]
    return call.pager.whole(rows, lambda row: (-int(row.at * 1e6), row.id))


def _one(call: Call) -> FindingView:
    found = call.services.scanner.one(str(call.path["name"]))
    if call.actor.tenant is not None and found.tenant != call.actor.tenant:
        raise NotFound("there is no such finding")
    return _finding(found)


def _allowances(call: Call) -> Page[AllowanceView]:
    rows = [_allowance(row) for row in call.services.scanner.allowances()]
    return call.pager.whole(rows, lambda row: (row.id,))


def _allow(call: Call) -> AllowanceView:
    body: AllowBody = call.body
    found = call.services.scanner.one(body.finding)
    rows = call.services.scanner.allow(body.finding, call.actor.name)
    wanted = (found.path, found.place, found.field, found.rule)
    return next(_allowance(r) for r in rows if (r.path, r.place, r.field, r.rule) == wanted)


def _revoke(call: Call) -> AllowanceView:
    return _allowance(call.services.scanner.revoke(call.path["number"]))


OPERATIONS = (
    Operation(
        "GET", "/security/findings", "security:read",
        "What the input scanner found, the newest first", _findings, Page[FindingView],
        query=PageQuery, tenanted=True,
    ),
    Operation(
        "GET", "/security/findings/{name}", "security:read",
        "One finding, by the id that a refusal tells", _one, FindingView, errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "GET", "/security/allowances", "security:read", "What the scanner lets pass",
        _allowances, Page[AllowanceView], query=PageQuery,
    ),
    Operation(
        "POST", "/security/allowances", "security:write",
        "Lets pass what is as a finding: its path, place, field and rule", _allow, AllowanceView,
        body=AllowBody, errors=(NotFound,),
    ),
    Operation(
        "DELETE", "/security/allowances/{number:int}", "security:write",
        "Takes an allowance back", _revoke, AllowanceView, errors=(NotFound,),
    ),
)  # fmt: skip
