"""/usage: sums by span of time and dimension."""

from __future__ import annotations

import math
import time

import msgspec

from pihub.errors import BadRequest
from pihub.http.control.operation import Call, Operation
from pihub.http.control.operations.requests import Second, Tokens
from pihub.http.control.shapes import Input, Output
from pihub.insight.live import NANO
from pihub.store.rows import STEP_SECONDS, Dimension, Step, UsageRow

MOST_SPANS = 168
"""Three hours of minutes, a week of hours, five months of days: an answer takes milliseconds."""


class UsageQuery(Input, frozen=True):
    start: Second | None = msgspec.field(name="from", default=None)
    to: Second | None = None
    step: Step = "minute"
    by: Dimension = "none"


class UsageView(Output, frozen=True):
    start: int
    group: str
    requests: int
    tokens: Tokens
    cost_usd: float
    saved_usd: float
    unpriced_requests: int
    p50_ms: float | None
    """As the next two: null where it is not kept (of one tenant by model, route and the like)."""
    p95_ms: float | None
    p99_ms: float | None


class UsageAnswer(Output, frozen=True):
    start: int = msgspec.field(name="from")
    to: int
    step: Step
    by: Dimension
    usage: list[UsageView]


def _usage(call: Call) -> UsageAnswer:
    query: UsageQuery = call.query
    end = int(time.time()) + 1 if query.to is None else query.to
    start = end - 60 * STEP_SECONDS[query.step] if query.start is None else query.start
    if not start < end:
        raise BadRequest("from must be before to", param="from")
    if (end - start) // STEP_SECONDS[query.step] > MOST_SPANS:
        raise BadRequest(
            f"from and to span more than {MOST_SPANS} steps: use a longer step or less time",
            param="from",
        )
    rows = call.services.store.usage(start, end, query.step, query.by)
    return UsageAnswer(
        start=start, to=end, step=query.step, by=query.by, usage=[_view(row) for row in rows]
    )


def _view(row: UsageRow) -> UsageView:
    return UsageView(
        start=row.start,
        group=row.group,
        requests=row.requests,
        tokens=Tokens(
            input=row.in_tok,
            output=row.out_tok,
            cache_read=row.cache_read_tok,
            cache_write=row.cache_write_tok,
        ),
        cost_usd=row.cost_nano / NANO,
        saved_usd=row.saved_nano / NANO,
        unpriced_requests=row.unpriced,
        p50_ms=_milliseconds(row.p50_us),
        p95_ms=_milliseconds(row.p95_us),
        p99_ms=_milliseconds(row.p99_us),
    )


def _milliseconds(us: float) -> float | None:
    return None if math.isnan(us) else round(us / 1000, 3)


OPERATIONS = (
    Operation(
        "GET",
        "/usage",
        "usage:read",
        "Sums by time: at most 168 steps, the last 60 by default",
        _usage,
        UsageAnswer,
        query=UsageQuery,
        tenanted=True,
    ),
)
