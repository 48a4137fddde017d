"""/offline: whether the hub is offline, and saying so by hand."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pihub.errors import ControlUnavailable
from pihub.http.control.operation import Call, Operation
from pihub.http.control.shapes import Input, Output
from pihub.ops.wan import WanWatch, said

LONGEST = 7 * 24 * 60
"""Minutes."""


class OfflineView(Output, frozen=True):
    """`since` and `until` in Unix seconds, None: never. `outside`: the upstreams that decide."""

    offline: bool
    since: int | None
    mode: str
    until: int | None
    outside: list[str]
    text: str


class OfflineBody(Input, frozen=True):
    """`on`: offline; `off`: never; `auto`: by what is reached. 0 minutes: until changed."""

    mode: Literal["auto", "on", "off"]
    minutes: Annotated[float, Meta(ge=0, le=LONGEST)] = 0.0


def _watch(call: Call) -> WanWatch:
    watch = call.services.wan
    if watch is None:
        raise ControlUnavailable("nothing watches whether this hub is offline")
    return watch


def _show(call: Call) -> OfflineView:
    watch = _watch(call)
    state = watch.state()
    return OfflineView(
        offline=state.offline,
        since=int(state.since) or None,
        mode=state.mode,
        until=int(state.until) or None,
        outside=[place.upstream for place in watch.places],
        text=said(state),
    )


def _set(call: Call) -> OfflineView:
    _watch(call).set(call.body.mode, call.body.minutes * 60)
    return _show(call)


OPERATIONS = (
    Operation(
        "GET",
        "/offline",
        "upstreams:read",
        "Whether the hub is offline, since when, and by whom",
        _show,
        OfflineView,
    ),
    Operation(
        "PUT",
        "/offline",
        "upstreams:write",
        "Takes the hub offline or keeps it online, for some minutes or until changed",
        _set,
        OfflineView,
        body=OfflineBody,
    ),
)
