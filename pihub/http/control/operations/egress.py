"""/egress: what left the hub in a day, signed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pihub.errors import ControlUnavailable
from pihub.http.control.operation import Call, Operation
from pihub.http.control.shapes import Input, Output


class EgressQuery(Input, frozen=True):
    day: Annotated[str, Meta(max_length=10, description="UTC, such as 2026-01-31; today")] = ""


class HostView(Output, frozen=True):
    """Bytes are those of the clients' requests and answers that went there and came back."""

    host: str
    outside: bool
    upstreams: list[str]
    requests: int
    bytes_sent: int
    bytes_received: int
    local_only_requests: int


class UncountedView(Output, frozen=True):
    """A configured host that also gets something, which no request records."""

    host: str
    outside: bool
    what: str


class EgressView(Output, frozen=True):
    day: str
    complete: bool
    hosts: list[HostView]
    uncounted: list[UncountedView]
    local_only_keys: list[int]
    local_only_requests_outside: int


class SignedEgress(Output, frozen=True):
    report: EgressView
    signature: str


def _report(call: Call) -> SignedEgress:
    if call.services.egress is None:
        raise ControlUnavailable("there are no reports here")
    return msgspec.convert(call.services.egress.report(call.query.day), SignedEgress)


OPERATIONS = (
    Operation(
        "GET",
        "/egress",
        "audit:read",
        "Hosts, requests and bytes of a day, signed; `pihub egress verify` tells a changed copy",
        _report,
        SignedEgress,
        query=EgressQuery,
    ),
)
