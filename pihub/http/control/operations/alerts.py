"""/alerts: what is open, what was, who cares for it, what is silenced, and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from pihub.errors import BadRequest, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery, Place
from pihub.http.control.shapes import Input, Output
from pihub.ops.alerts import LONGEST_SILENCE, View
from pihub.store.alerts import SilenceRow


class AlertView(Output, frozen=True):
    """Times in Unix seconds, null: not yet. `text` and `value` are those of now while it is open;
    `changed`: when that was last another, null: not since the control process began. `told`:
    how many words subscribers had of it."""

    id: int
    rule: str
    subject: str
    severity: str
    state: Literal["open", "closed"]
    text: str
    value: float
    opened: int
    changed: int | None
    closed: int | None
    times: int
    acknowledged: int | None
    acknowledged_by: str
    silenced: bool
    told: int


class RuleView(Output, frozen=True):
    name: str
    measure: str
    above: float | None
    below: float | None
    clear: float | None
    after: float
    severity: str


class SilenceView(Output, frozen=True):
    """`subject` empty: everything of the rule."""

    id: int
    rule: str
    subject: str
    until: int
    by: str
    reason: str
    at: int


class AlertQuery(PageQuery, frozen=True):
    state: Literal["", "open"] = ""
    rule: Annotated[str, Meta(max_length=64)] = ""


class SilenceBody(Input, frozen=True):
    rule: Annotated[str, Meta(max_length=64)]
    seconds: Annotated[int, Meta(ge=60, le=LONGEST_SILENCE)]
    subject: Annotated[str, Meta(max_length=300)] = ""
    reason: Annotated[str, Meta(max_length=300)] = ""


def _shown(view: View) -> AlertView:
    row = view.row
    return AlertView(
        id=row.id,
        rule=row.rule,
        subject=row.subject,
        severity=row.severity,
        state="open" if row.open else "closed",
        text=row.text,
        value=row.value,
        opened=row.opened,
        changed=view.changed or None,
        closed=row.closed or None,
        times=row.times,
        acknowledged=row.acknowledged or None,
        acknowledged_by=row.acknowledged_by,
        silenced=view.silenced,
        told=row.told,
    )


def _silence_shown(row: SilenceRow) -> SilenceView:
    return SilenceView(
        id=row.id, rule=row.rule, subject=row.subject, until=row.until, by=row.by,
        reason=row.reason, at=row.at,
    )  # fmt: skip


def _list(call: Call) -> Page[AlertView]:
    query: AlertQuery = call.query
    alerts = call.services.health.alerts

    def fetch(place: Place | None, count: int) -> Sequence[View]:
        number = None if place is None else int(place.key[0])
        backward = place is not None and place.backward
        return alerts.page(
            count,
            before=None if backward else number,
            after=number if backward else None,
            open_only=query.state == "open",
            rule=query.rule,
        )

    return call.pager.page(fetch, lambda view: (view.row.id,), _shown)


def _one(call: Call) -> AlertView:
    return _shown(call.services.health.alerts.one(call.path["number"]))


def _acknowledge(call: Call) -> AlertView:
    alerts = call.services.health.alerts
    return _shown(alerts.acknowledge(call.path["number"], call.actor.name))


def _rules(call: Call) -> Page[RuleView]:
    rows = [
        RuleView(
            name=name,
            measure=rule.measure or "",
            above=rule.above,
            below=rule.below,
            clear=rule.clear,
            after=rule.after or 0.0,
            severity=rule.severity or "warning",
        )
        for name, rule in call.services.health.alerts.rules.items()
    ]
    return call.pager.whole(rows, lambda row: (row.name,))


def _silences(call: Call) -> Page[SilenceView]:
    rows = [_silence_shown(row) for row in call.services.health.alerts.silences()]
    return call.pager.whole(rows, lambda row: (row.id,))


def _silence(call: Call) -> SilenceView:
    body: SilenceBody = call.body
    alerts = call.services.health.alerts
    return _silence_shown(
        alerts.silence(body.rule, body.subject, body.seconds, call.actor.name, body.reason)
    )


def _unsilence(call: Call) -> SilenceView:
    return _silence_shown(call.services.health.alerts.unsilence(call.path["number"]))


OPERATIONS = (
    Operation(
        "GET",
        "/alerts",
        "health:read",
        "Alerts, open and past, newest first",
        _list,
        Page[AlertView],
        query=AlertQuery,
    ),
    Operation(
        "GET", "/alerts/{number:int}", "health:read", "One alert", _one, AlertView,
        errors=(NotFound,),
    ),
    Operation(
        "POST",
        "/alerts/{number:int}/acknowledge",
        "health:write",
        "Somebody cares for it: subscribers are not reminded of it any more",
        _acknowledge,
        AlertView,
        errors=(NotFound,),
    ),
    Operation(
        "GET",
        "/alert-rules",
        "health:read",
        "The rules in force, built-in and configured",
        _rules,
        Page[RuleView],
        query=PageQuery,
    ),
    Operation(
        "GET",
        "/alert-silences",
        "health:read",
        "What is silenced now",
        _silences,
        Page[SilenceView],
        query=PageQuery,
    ),
    Operation(
        "POST",
        "/alert-silences",
        "health:write",
        "Nothing is told of a rule, or of one subject of it, for so many seconds",
        _silence,
        SilenceView,
        body=SilenceBody,
        status=201,
        errors=(BadRequest,),
    ),
    Operation(
        "DELETE",
        "/alert-silences/{number:int}",
        "health:write",
        "Ends a silence",
        _unsilence,
        SilenceView,
        errors=(NotFound,),
    ),
)  # fmt: skip
