"""/requests: what was recorded, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pihub.errors import BadRequest, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Key, Page, PageQuery, Place
from pihub.http.control.shapes import Output
from pihub.insight.live import request
from pihub.shared.events import CacheState
from pihub.shared.metrics import Route
from pihub.store.rows import RequestRow, Wanted

Second = Annotated[int, Meta(ge=0, le=9_223_372_035, description="Unix seconds")]
"""Nanoseconds of it are what SQLite's integers hold, until the year 2262."""


class Tokens(Output, frozen=True):
    input: int
    output: int
    cache_read: int
    cache_write: int


class RequestView(Output, frozen=True):
    """One recorded request; money null: unknown, which is not zero."""

    id: int
    at: float
    request_id: str
    route: str
    status: int
    model: str
    served_by: str
    cache: str
    reason: str
    error: str
    attempts: int
    tenant: int
    key: int
    stream: bool
    client_gone: bool
    simulated: bool
    estimated: bool
    duration_ms: float
    first_token_ms: float | None
    stalls: int
    """Gaps of a stream that were longer than streams.stall; 255: that many or more."""
    tokens: Tokens
    cost_usd: float | None
    saved_usd: float | None


def shown(row: RequestRow) -> RequestView:
    return msgspec.convert(request(row), RequestView)


class RequestQuery(PageQuery, frozen=True):
    """Each search looks at 20,000 requests at most: a page may be short and have a `next`."""

    sort: Literal["-id", "id"] = "-id"
    """Newest first, or oldest first."""
    model: Annotated[str, Meta(max_length=200, description="Asked for, or that answered")] = ""
    upstream: Annotated[str, Meta(max_length=64)] = ""
    error: Annotated[str, Meta(max_length=64)] = ""
    status: Annotated[
        str, Meta(pattern="^([1-5][0-9][0-9]|[1-5]xx|)$", description="404, or 5xx")
    ] = ""
    key: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)] | None = None
    route: Annotated[str, Meta(max_length=40)] = ""
    cache: Annotated[str, Meta(max_length=20)] = ""
    start: Second | None = msgspec.field(name="from", default=None)
    to: Second | None = None


def _wanted(query: RequestQuery) -> Wanted:
    """Raises BadRequest."""
    low, high = 0, 999
    if query.status:
        low = high = int(query.status.replace("xx", "00"))
        high += 99 if query.status.endswith("xx") else 0
    return Wanted(
        model=query.model,
        upstream=query.upstream,
        error=query.error,
        key=query.key,
        route=_number(Route, query.route, "route"),
        cache=_number(CacheState, query.cache, "cache"),
        status_from=low,
        status_to=high,
        since=query.start,
        until=query.to,
    )


def _number(kind: type[Route | CacheState], name: str, param: str) -> int | None:
    if not name:
        return None
    try:
        return int(kind[name.upper()])
    except KeyError:
        known = ", ".join(one.name.lower() for one in kind)
        raise BadRequest(f"{param} is one of {known}", param=param) from None


class StageTimes(Output, frozen=True):
    """How long each stage took, in milliseconds; all 0 where the edge answered alone."""

    inspect: float
    lookup: float
    route: float
    call: float
    render: float
    queued: float
    """Within `call`, as the next: waits for a turn and for a place in the pool; to 5 %."""
    connect: float
    """New connections: name, TCP and TLS. 0: a kept one was used."""


class RequestDetail(Output, frozen=True):
    request: RequestView
    stages_ms: StageTimes
    bytes_in: int
    bytes_out: int


def _one(call: Call) -> RequestDetail:
    found = call.services.store.one(call.path["number"])
    if found is None:
        raise NotFound("this request is not kept (any more)")
    row, times = found
    return RequestDetail(
        request=shown(row),
        stages_ms=StageTimes(
            inspect=times.inspect / 1000,
            lookup=times.lookup / 1000,
            route=times.route / 1000,
            call=times.call / 1000,
            render=times.render / 1000,
            queued=times.queued / 1000,
            connect=times.dialed / 1000,
        ),
        bytes_in=times.bytes_in,
        bytes_out=times.bytes_out,
    )


def _list(call: Call) -> Page[RequestView]:
    store, query = call.services.store, call.query
    wanted, oldest_first = _wanted(query), query.sort == "id"

    def fetch(place: Place | None, count: int) -> tuple[Sequence[RequestRow], Key | None]:
        upward = oldest_first != (place is not None and place.backward)
        found = store.search(
            wanted, count, edge=None if place is None else int(place.key[0]), upward=upward
        )
        return found.rows, None if found.edge is None else (found.edge,)

    return call.pager.partial(fetch, shown, lambda row: (row.id,))


OPERATIONS = (
    Operation(
        "GET",
        "/requests",
        "requests:read",
        "Recorded requests, newest first, all or those that are as wanted",
        _list,
        Page[RequestView],
        query=RequestQuery,
        errors=(BadRequest,),
        tenanted=True,
    ),
    Operation(
        "GET",
        "/requests/{number:int}",
        "requests:read",
        "One recorded request, and how long each of its stages took",
        _one,
        RequestDetail,
        errors=(NotFound,),
        tenanted=True,
    ),
)
