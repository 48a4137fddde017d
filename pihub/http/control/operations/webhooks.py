"""/webhooks: senders, targets, events, deliveries, dead letters and their replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from pihub.errors import BadRequest, ControlUnavailable, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery, Place
from pihub.http.control.shapes import Input, Output
from pihub.store.hooks import State
from pihub.store.hookviews import DeliveryRow, EventRow
from pihub.webhooks.desk import MOST

StateName = Literal["pending", "delivered", "dead", "erased"]
_STATES: dict[str, int] = {state.name.lower(): int(state) for state in State}
_NAMES: dict[int, StateName] = {
    0: "pending",
    1: "delivered",
    2: "dead",
    3: "erased",
}


class SenderView(Output, frozen=True):
    name: str
    kind: str
    path: str


class TargetView(Output, frozen=True):
    """Counts since the start of the control process."""

    name: str
    breaker: str
    busy: int
    delivered: int
    failed_attempts: int
    dead: int
    last_error: str


class WebhooksView(Output, frozen=True):
    senders: list[SenderView]
    targets: list[TargetView]
    pending: int
    dead: int
    bytes: int


class EventView(Output, frozen=True):
    id: int
    source: str
    object: str
    type: str
    at: float
    received: float
    erased: bool
    deliveries: int
    pending: int


class DeliveryView(Output, frozen=True):
    id: int
    event: int
    target: str
    type: str
    object: str
    state: StateName
    attempts: int
    at: float
    ended: float | None
    status: int
    error: str


class WholeEventView(EventView, frozen=True):
    """`body` is null for an event that was erased."""

    body: Any
    sent: list[DeliveryView]


class EventQuery(PageQuery, frozen=True):
    source: Annotated[str, Meta(max_length=64)] = ""
    type: Annotated[str, Meta(max_length=256)] = ""
    object: Annotated[str, Meta(max_length=256, description="Needs `source`")] = ""


class DeliveryQuery(PageQuery, frozen=True):
    target: Annotated[str, Meta(max_length=64)] = ""
    state: StateName | Literal[""] = ""


class ReplayBody(Input, frozen=True):
    target: Annotated[str, Meta(max_length=64)]
    deliveries: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(max_length=MOST, description="Empty: all dead letters of the target"),
    ] = ()


class ReplayView(Output, frozen=True):
    replayed: int


def _overview(call: Call) -> WebhooksView:
    found = call.services.webhooks.overview()
    return WebhooksView(
        senders=[SenderView(name=s.name, kind=s.kind, path=s.path) for s in found.senders],
        targets=[
            TargetView(
                name=t.target,
                breaker=t.breaker,
                busy=t.busy,
                delivered=t.delivered,
                failed_attempts=t.failed,
                dead=t.dead,
                last_error=t.last_error,
            )
            for t in found.targets
        ],
        pending=found.pending,
        dead=found.dead,
        bytes=found.bytes,
    )


def _shown_event(row: EventRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "object": row.object,
        "type": row.kind,
        "at": row.at / 1000,
        "received": row.received / 1000,
        "erased": row.erased,
        "deliveries": row.deliveries,
        "pending": row.pending,
    }


def _shown_delivery(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        event=row.event,
        target=row.target,
        type=row.kind,
        object=row.object,
        state=_NAMES[row.state],
        attempts=row.attempts,
        at=row.at / 1000,
        ended=row.ended / 1000 if row.ended else None,
        status=row.status,
        error=row.error,
    )


def _edges(place: Place | None) -> dict[str, int | None]:
    number = None if place is None else int(place.key[0])
    backward = place is not None and place.backward
    return {"before": None if backward else number, "after": number if backward else None}


def _events(call: Call) -> Page[EventView]:
    query: EventQuery = call.query
    desk = call.services.webhooks

    def fetch(place: Place | None, count: int) -> Sequence[EventRow]:
        edges = _edges(place)
        return desk.events(
            count,
            before=edges["before"],
            after=edges["after"],
            source=query.source,
            kind=query.type,
            about=query.object,
        )

    return call.pager.page(
        fetch, lambda row: (row.id,), lambda row: EventView(**_shown_event(row))
    )


def _event(call: Call) -> WholeEventView:
    row, body, sent = call.services.webhooks.event(call.path["number"])
    return WholeEventView(
        **_shown_event(row),
        body=None if body is None else json.loads(body),
        sent=[_shown_delivery(one) for one in sent],
    )


def _deliveries(call: Call) -> Page[DeliveryView]:
    query: DeliveryQuery = call.query
    desk = call.services.webhooks

    def fetch(place: Place | None, count: int) -> Sequence[DeliveryRow]:
        edges = _edges(place)
        return desk.deliveries(
            count,
            before=edges["before"],
            after=edges["after"],
            target=query.target,
            state=_STATES[query.state] if query.state else None,
        )

    return call.pager.page(fetch, lambda row: (row.id,), _shown_delivery)


def _replay(call: Call) -> ReplayView:
    body: ReplayBody = call.body
    return ReplayView(replayed=call.services.webhooks.replay(body.target, body.deliveries or None))


OPERATIONS = (
    Operation(
        "GET",
        "/webhooks",
        "webhooks:read",
        "Senders, targets with their breakers, and how much waits",
        _overview,
        WebhooksView,
        tenanted=True,
    ),
    Operation(
        "GET",
        "/webhooks/events",
        "webhooks:read",
        "Events that were taken in, newest first, without their bodies",
        _events,
        Page[EventView],
        query=EventQuery,
        errors=(BadRequest,),
        tenanted=True,
    ),
    Operation(
        "GET",
        "/webhooks/events/{number:int}",
        "webhooks:read",
        "One event with its body and what became of it",
        _event,
        WholeEventView,
        errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "GET",
        "/webhooks/deliveries",
        "webhooks:read",
        "Deliveries, newest first; `state=dead` are the dead letters",
        _deliveries,
        Page[DeliveryView],
        query=DeliveryQuery,
        tenanted=True,
    ),
    Operation(
        "POST",
        "/webhooks/replay",
        "webhooks:write",
        "Dead letters of a target are delivered again, all or those named",
        _replay,
        ReplayView,
        body=ReplayBody,
        errors=(NotFound, ControlUnavailable),
        tenanted=True,
    ),
)
