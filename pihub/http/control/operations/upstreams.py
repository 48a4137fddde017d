"""/upstreams: breakers, pools and the last error of upstreams and APIs; holds and probes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pihub.errors import NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.ops.upstreams import Probe, TargetView

LONGEST = 24 * 60
"""Minutes: what is to last longer belongs into the configuration."""


class HoldView(Output, frozen=True):
    """`open`: out of use. `closed`: in use whatever fails."""

    state: str
    seconds_left: float


class ErrorView(Output, frozen=True):
    at: int
    """Unix seconds."""
    code: str
    upstream_status: int
    """0: it did not answer."""


class ProbeView(Output, frozen=True):
    at: float
    ok: bool
    status: int
    milliseconds: float
    text: str


class UpstreamView(Output, frozen=True):
    """One upstream or API. Counts of `window` are the breaker's, others since the start."""

    name: str
    kind: str
    url: str
    simulated: bool
    breaker: str
    hold: HoldView | None
    window_ok: int
    window_failed: int
    calls: int
    failures: int
    timeouts: int
    connections: int
    idle: int
    waiting: int
    pool_size: int
    """A worker."""
    last_error: ErrorView | None
    last_probe: ProbeView | None


class HoldBody(Input, frozen=True):
    state: Literal["open", "closed"]
    minutes: Annotated[float, Meta(gt=0, le=LONGEST)]


def shown(one: TargetView) -> UpstreamView:
    hold, error = one.hold, one.error
    return UpstreamView(
        name=one.name,
        kind=one.kind,
        url=one.url,
        simulated=one.simulated,
        breaker=one.state,
        hold=hold and HoldView(state=hold.state, seconds_left=round(hold.seconds, 1)),
        window_ok=one.ok,
        window_failed=one.failed,
        calls=one.calls,
        failures=one.failures,
        timeouts=one.timeouts,
        connections=one.connections,
        idle=one.idle,
        waiting=one.waiting,
        pool_size=one.pool,
        last_error=error
        and ErrorView(at=error.at, code=error.code, upstream_status=error.status),
        last_probe=one.probe and _probed(one.probe),
    )


def _probed(one: Probe) -> ProbeView:
    return ProbeView(
        at=round(one.at, 3),
        ok=one.ok,
        status=one.status,
        milliseconds=round(one.milliseconds, 1),
        text=one.text,
    )


def _list(call: Call) -> Page[UpstreamView]:
    rows = [shown(one) for one in call.services.upstreams.views()]
    return call.pager.whole(rows, lambda row: (row.name,))


def _one(call: Call) -> UpstreamView:
    return shown(call.services.upstreams.view(call.path["name"]))


def _hold(call: Call) -> UpstreamView:
    call.services.upstreams.hold(call.path["name"], call.body.state, call.body.minutes * 60)
    return _one(call)


def _release(call: Call) -> UpstreamView:
    call.services.upstreams.unhold(call.path["name"])
    return _one(call)


def _probe(call: Call) -> ProbeView:
    return _probed(call.services.upstreams.probe(call.path["name"]))


OPERATIONS = (
    Operation(
        "GET",
        "/upstreams",
        "upstreams:read",
        "All upstreams and APIs: breaker, hold, connections, last error",
        _list,
        Page[UpstreamView],
        query=PageQuery,
    ),
    Operation(
        "GET",
        "/upstreams/{name}",
        "upstreams:read",
        "One upstream or API",
        _one,
        UpstreamView,
        errors=(NotFound,),
    ),
    Operation(
        "POST",
        "/upstreams/{name}/hold",
        "upstreams:write",
        "Takes it out (`open`) or keeps it in use whatever fails (`closed`) for some minutes",
        _hold,
        UpstreamView,
        body=HoldBody,
        errors=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/upstreams/{name}/hold",
        "upstreams:write",
        "Ends a hold before its time",
        _release,
        UpstreamView,
        errors=(NotFound,),
    ),
    Operation(
        "POST",
        "/upstreams/{name}/probe",
        "upstreams:write",
        "Asks it now what costs nothing; where it answers, an open breaker lets a request try",
        _probe,
        ProbeView,
        errors=(NotFound,),
        alone=False,
    ),
)
