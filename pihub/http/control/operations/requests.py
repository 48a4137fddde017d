"""/requests: what was recorded, newest first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery, Place
from pihub.http.control.shapes import Output
from pihub.insight.live import request
from pihub.store.rows import RequestRow


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
    tokens: Tokens
    cost_usd: float | None
    saved_usd: float | None


def shown(row: RequestRow) -> RequestView:
    return msgspec.convert(request(row), RequestView)


def _list(call: Call) -> Page[RequestView]:
    store = call.services.store

    def fetch(place: Place | None, count: int) -> Sequence[RequestRow]:
        if place is None:
            return store.recent(count)
        number = int(place.key[0])
        return store.newer(count, number) if place.backward else store.recent(count, number)

    return call.pager.page(fetch, lambda row: (row.id,), shown)


OPERATIONS = (
    Operation(
        "GET",
        "/requests",
        "requests:read",
        "Recorded requests, newest first",
        _list,
        Page[RequestView],
        query=PageQuery,
        tenanted=True,
    ),
)
