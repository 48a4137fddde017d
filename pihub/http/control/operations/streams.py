"""/streams: what is being streamed right now, and its end by hand."""

from __future__ import annotations

from pihub.errors import NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Output
from pihub.shared.metrics import Route
from pihub.shared.streams import LiveStream


class StreamView(Output, frozen=True):
    """One live stream; durations in seconds, null: not yet."""

    request_id: str
    began: float
    age_s: float
    first_token_s: float | None
    idle_s: float
    tokens: int
    tokens_per_s: float
    bytes: int
    stalls: int
    longest_gap_s: float
    model: str
    upstream: str
    asked_for: str
    route: str
    tenant: int
    key: int
    worker: int
    cancelled: bool


def shown(one: LiveStream) -> StreamView:
    return StreamView(
        request_id=f"{one.rid:016x}",
        began=one.began,
        age_s=one.age,
        first_token_s=one.first_token,
        idle_s=one.idle,
        tokens=one.tokens,
        tokens_per_s=round(one.tokens_per_second, 2),
        bytes=one.bytes,
        stalls=one.stalls,
        longest_gap_s=one.longest_gap,
        model=one.model,
        upstream=one.upstream,
        asked_for=one.alias,
        route=Route(one.route).name.lower(),
        tenant=one.tenant,
        key=one.key,
        worker=one.slot,
        cancelled=one.cancelled,
    )


def _list(call: Call) -> Page[StreamView]:
    rows = [shown(one) for one in call.services.streams.rows()]
    return call.pager.whole(rows, lambda row: (int(row.began * 1e6), row.request_id))


def _cancel(call: Call) -> StreamView:
    wanted = call.path["request_id"].lower()
    for one in call.services.streams.rows():
        if f"{one.rid:016x}" == wanted and call.services.streams.cancel(one):
            return shown(one)
    raise NotFound(f"no live stream has the request id {wanted[:32]}")


OPERATIONS = (
    Operation(
        "GET",
        "/streams",
        "streams:read",
        "All live streams, oldest first",
        _list,
        Page[StreamView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "DELETE",
        "/streams/{request_id}",
        "streams:write",
        "Ends a live stream at its next piece; its client gets an error event",
        _cancel,
        StreamView,
        errors=(NotFound,),
        tenanted=True,
    ),
)
