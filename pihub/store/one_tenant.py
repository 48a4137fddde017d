"""The metrics database as one tenant sees it: nobody else's rows can be asked for."""

from __future__ import annotations

from pihub.store.reading import Spans, money_since, newer, of_tenant, older, one
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


class OneTenant:
    """Implements rows.Reports."""

    def __init__(self, database: Database, tenant: int) -> None:
        self._database = database
        self._tenant = tenant

    def recent(self, limit: int, before: int | None = None) -> list[RequestRow]:
        return older(self._database, limit, before, self._tenant)

    def newer(self, limit: int, after: int) -> list[RequestRow]:
        return newer(self._database, limit, after, self._tenant)

    def search(
        self, wanted: Wanted, limit: int, *, edge: int | None = None, upward: bool = False
    ) -> Hits:
        return search(
            self._database, wanted, limit, edge=edge, upward=upward, tenant=self._tenant
        )

    def one(self, number: int) -> tuple[RequestRow, RequestTimes] | None:
        return one(self._database, number, self._tenant)

    def usage(self, start: int, end: int, step: Step, by: Dimension) -> list[UsageRow]:
        return of_tenant(self._database, Spans.of(start, end, step), by, self._tenant)

    def spent(self, since: int, *, simulated: bool = False) -> Spend:
        return money_since(self._database, since, simulated=simulated, tenant=self._tenant)
