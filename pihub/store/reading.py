"""Reads of the metrics database: recorded requests and sums, of all tenants or of one.

SQL is put together from this file's own constants; values are bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pihub.domain.brief import microseconds
from pihub.store.latency import quantiles
from pihub.store.requests import unsigned
from pihub.store.rollup import DIMENSIONS
from pihub.store.rows import (
    STEP_SECONDS,
    Dimension,
    RequestRow,
    RequestTimes,
    Spend,
    Step,
    UsageRow,
)
from pihub.store.sqlite import Database, Row

SELECT = (
    "SELECT r.id, r.ts, r.rid, r.tenant, r.key, r.route, r.status, r.cache, r.flags,"
    " r.reason, r.attempts, r.worker, m.name, u.name, a.name, e.name, r.dur_us, r.ttft_us,"
    " r.in_tok, r.out_tok, r.cache_read_tok, r.cache_write_tok, r.cost_nano, r.saved_nano,"
    " r.stalls"
    " FROM requests r LEFT JOIN names m ON m.id = r.model"
    " LEFT JOIN names u ON u.id = r.upstream LEFT JOIN names a ON a.id = r.alias"
    " LEFT JOIN names e ON e.id = r.error"
)
_SUMS = (
    "requests, in_tok, out_tok, cache_read_tok, cache_write_tok, cost_nano, unpriced,"
    " saved_nano"
)
_ADDED = ", ".join(f"sum({name})" for name in _SUMS.split(", "))
_NAMED = ("model", "upstream")
"""Dimensions whose values are numbers of names."""
_STEPS: tuple[Step, ...] = ("minute", "hour", "day")
"""As `usage_by` numbers them."""
_QUANTILES = (0.5, 0.95, 0.99)
_UNKNOWN = [math.nan, math.nan, math.nan]
MAX_ID = (1 << 63) - 1
FIRST = 1
"""The tenant made first, whose rows no index finds: on most boxes they are all there is."""


class Spans(NamedTuple):
    """Whole steps from `first` on, before `end`."""

    first: int
    end: int
    step: Step
    seconds: int

    @classmethod
    def of(cls, start: int, end: int, step: Step) -> Spans:
        seconds = STEP_SECONDS[step]
        return cls(start // seconds, -(-end // seconds), step, seconds)


def id_range(database: Database) -> tuple[int, int]:
    """The least and the highest id of the requests that are kept; (1, 0): none is."""
    least, most = database.read(
        "SELECT (SELECT min(id) FROM requests), (SELECT max(id) FROM requests)"
    )[0]
    return (1, 0) if least is None else (int(least), int(most))


def older(
    database: Database, limit: int, before: int | None, tenant: int | None = None
) -> list[RequestRow]:
    """Newest first, before that id."""
    edge = MAX_ID if before is None else before
    where = f"r.id < ?{of_tenant_condition(tenant)} ORDER BY r.id DESC"
    return _requests(database, where, edge, limit)


def newer(
    database: Database, limit: int, after: int, tenant: int | None = None
) -> list[RequestRow]:
    """Oldest first, beyond that id."""
    return _requests(database, f"r.id > ?{of_tenant_condition(tenant)} ORDER BY r.id", after, limit)


def one(
    database: Database, number: int, tenant: int | None = None
) -> tuple[RequestRow, RequestTimes] | None:
    """The request of that id, if it is still kept."""
    found = _requests(database, f"r.id = ?{of_tenant_condition(tenant)}", number, 1)
    if not found:
        return None
    row = database.read(
        "SELECT inspect_us, lookup_us, route_us, call_us, render_us, bytes_in, bytes_out,"
        " queued, dialed FROM requests WHERE id = ?",
        (number,),
    )
    if not row:
        return None
    times = RequestTimes(*row[0])
    return found[0], times._replace(
        queued=microseconds(times.queued), dialed=microseconds(times.dialed)
    )


def of_tenant_condition(tenant: int | None) -> str:
    """The literal lets SQLite use the partial index of small tenants (0004_one_tenant.sql)."""
    if tenant is None:
        return ""
    small = f" AND r.tenant > {FIRST}" if tenant > FIRST else ""
    return f"{small} AND r.tenant = {int(tenant)}"


def _requests(database: Database, where: str, edge: int, limit: int) -> list[RequestRow]:
    rows = database.read(f"{SELECT} WHERE {where} LIMIT ?", (edge, limit))
    return [request_row(row) for row in rows]


def request_row(row: Row) -> RequestRow:
    """Of SELECT's columns."""
    return RequestRow(
        row[0],
        unsigned(row[1]),
        unsigned(row[2]),
        *row[3:12],
        *(name or "" for name in row[12:16]),
        *row[16:],
    )


def by_dimension(
    database: Database, spans: Spans, by: Dimension, among: str = "",
    shown: Dimension | None = None, *, paces: bool = True,
) -> list[UsageRow]:  # fmt: skip
    """From the sums by one dimension. `among`: a further condition of this file; `shown`:
    the dimension that the groups are told of; `paces`: with percentiles."""
    latency = "latency" if paces else "NULL"
    rows = database.read(
        f"SELECT span, value, {_SUMS}, {latency} FROM usage_by WHERE step = ? AND span >= ?"  # noqa: S608
        f" AND span < ? AND dimension = ?{among} ORDER BY span, value",
        (_STEPS.index(spans.step), spans.first, spans.end, DIMENSIONS.index(by)),
    )
    names = _names(database, shown or by)
    return [
        UsageRow(
            span * spans.seconds,
            _group(shown or by, value, names),
            *sums,
            *(_UNKNOWN if latency is None else quantiles(latency, _QUANTILES)),
        )
        for span, value, *sums, latency in rows
    ]


def of_tenant(database: Database, spans: Spans, by: Dimension, tenant: int) -> list[UsageRow]:
    """One tenant's sums. Percentiles are kept by tenant and by key only, so they are NaN by
    anything else; those sums reach back as far as hours are kept."""
    tenant = int(tenant)
    if by in ("none", "tenant"):
        return by_dimension(database, spans, "tenant", f" AND value = {tenant}", by)
    if by == "key":
        # A key belongs to one tenant for good. Keys seen before the hours that are kept
        # cannot be told any more.
        keys = (
            f" AND value IN (SELECT key FROM usage_hour WHERE tenant = {tenant} AND"  # noqa: S608
            f" span >= {spans.first * spans.seconds // 3600})"
        )
        return by_dimension(database, spans, "key", keys)
    table = "usage_minute" if spans.step == "minute" else "usage_hour"
    per = 24 if spans.step == "day" else 1
    rows = database.read(
        f"SELECT span / {per}, {by}, {_ADDED} FROM {table} WHERE span >= ? AND span < ?"  # noqa: S608
        " AND tenant = ? GROUP BY 1, 2 ORDER BY 1, 2",
        (spans.first * per, spans.end * per, tenant),
    )
    names = _names(database, by)
    return [
        UsageRow(span * spans.seconds, _group(by, value, names), *sums, *_UNKNOWN)
        for span, value, *sums in rows
    ]


def money_since(
    database: Database, since: int, *, simulated: bool, tenant: int | None = None
) -> Spend:
    """Minutes up to the next full hour, hours from there."""
    only = "" if tenant is None else f" AND tenant = {int(tenant)}"
    row = database.read(
        "SELECT coalesce(sum(cost_nano), 0), coalesce(sum(saved_nano), 0),"  # noqa: S608
        " coalesce(sum(unpriced), 0) FROM ("
        "SELECT cost_nano, saved_nano, unpriced FROM usage_minute"
        f" WHERE span >= ?1 AND span < ?2 * 60 AND simulated = ?3{only} UNION ALL"
        " SELECT cost_nano, saved_nano, unpriced FROM usage_hour"
        f" WHERE span >= ?2 AND simulated = ?3{only})",
        (since // 60, -(-since // 3600), int(simulated)),
    )[0]
    return Spend(*row)


def _names(database: Database, by: Dimension) -> dict[int, str]:
    return dict(database.read("SELECT id, name FROM names")) if by in _NAMED else {}


def _group(by: Dimension, value: int, names: dict[int, str]) -> str:
    if by in _NAMED:
        return names.get(value, "")
    return "" if by == "none" else str(value)
