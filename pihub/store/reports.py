"""What pages and reports read of the metrics database: of all tenants, or of one."""

from __future__ import annotations

from pihub.store.reading import (
    Spans,
    by_dimension,
    money_since,
    newer,
    of_tenant,
    older,
    one,
)
from pihub.store.rows import (
    Dimension,
    Hits,
    RequestRow,
    RequestTimes,
    Spend,
    Step,
    UsageRow,
    Wanted,
)
from pihub.store.searching import search
from pihub.store.sqlite import Database


class StoredReports:
    """Implements rows.Reports. With a tenant nobody else's rows can be asked for."""

    def __init__(self, database: Database, tenant: int | None = None) -> None:
        self.database = database
        self._tenant = tenant

    def recent(self, limit: int, before: int | None = None) -> list[RequestRow]:
        return older(self.database, limit, before, self._tenant)

    def newer(self, limit: int, after: int) -> list[RequestRow]:
        return newer(self.database, limit, after, self._tenant)

    def search(
        self, wanted: Wanted, limit: int, *, edge: int | None = None, upward: bool = False
    ) -> Hits:
        return search(
            self.database, wanted, limit, edge=edge, upward=upward, tenant=self._tenant
        )

    def one(self, number: int) -> tuple[RequestRow, RequestTimes] | None:
        return one(self.database, number, self._tenant)

    def usage(
        self, start: int, end: int, step: Step, by: Dimension, *, paces: bool = True
    ) -> list[UsageRow]:
        spans = Spans.of(start, end, step)
        if self._tenant is None:
            return by_dimension(self.database, spans, by, paces=paces)
        return of_tenant(self.database, spans, by, self._tenant)

    def spent(self, since: int, *, simulated: bool = False) -> Spend:
        return money_since(self.database, since, simulated=simulated, tenant=self._tenant)
