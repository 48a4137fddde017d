"""Budgets in the control database, and what the ledger says was spent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pihub.domain.budget import AtLimit, Budget, Scope
from pihub.store.migrate import migrate, migrations
from pihub.store.sqlite import Database, Row

Period = Literal["day", "month"]
HOUR, MINUTE = 3600, 60


class BudgetRow(NamedTuple):
    """A budget and its number."""

    id: int
    budget: Budget
    changed: int


class BudgetDatabase:
    """On the control database's file (WAL, synchronous FULL)."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "FULL")
        migrate(self.database, migrations("control"))

    def list(self) -> list[BudgetRow]:
        rows = self.database.read(
            "SELECT id, scope, name, day_nano, month_nano, soft_percent, at_limit, changed"
            " FROM budgets ORDER BY id"
        )
        return [_row(row) for row in rows]

    def put(self, budget: Budget) -> BudgetRow:
        """The one of its scope and name is replaced; its number stays."""
        values = (
            budget.scope,
            budget.name,
            budget.day_nano,
            budget.month_nano,
            budget.soft_percent,
            budget.at_limit,
            int(time.time()),
        )
        with self.database.write() as connection:
            connection.execute(
                "INSERT INTO budgets (scope, name, day_nano, month_nano, soft_percent, at_limit,"
                " changed) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, name) DO UPDATE SET"
                " day_nano = excluded.day_nano, month_nano = excluded.month_nano,"
                " soft_percent = excluded.soft_percent, at_limit = excluded.at_limit,"
                " changed = excluded.changed",
                values,
            )
            rows = connection.execute(
                "SELECT id, scope, name, day_nano, month_nano, soft_percent, at_limit, changed"
                " FROM budgets WHERE scope = ? AND name = ?",
                (budget.scope, budget.name),
            ).fetchall()
        return _row(rows[0])

    def delete(self, number: int) -> bool:
        with self.database.write() as connection:
            connection.execute("DELETE FROM budget_extras WHERE budget = ?", (number,))
            connection.execute("DELETE FROM budgets WHERE id = ?", (number,))
            return bool(connection.changes())

    def approve(self, number: int, period: Period, span: int, nano: int, by: str) -> None:
        with self.database.write() as connection:
            connection.execute(
                "INSERT INTO budget_extras (budget, period, span, nano, by, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (number, period, span, nano, by, int(time.time())),
            )

    def approved(self, number: int, period: Period, span: int) -> int:
        """Nano-USD beyond the limit, for that day or month."""
        rows = self.database.read(
            "SELECT coalesce(sum(nano), 0) FROM budget_extras"
            " WHERE budget = ? AND period = ? AND span = ?",
            (number, period, span),
        )
        return int(rows[0][0])

    def close(self) -> None:
        self.database.close()


class Ledger:
    """What was spent, by the recorder's roll-ups: they change in the transactions that store
    the requests, so their sums are the sum of the requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spent(self, scope: Scope, names: Sequence[str], since: int) -> int:
        """Nano-USD since a unix second (a whole minute). `names`: those of the scope that
        count, several keys for a user; none for the hub."""
        column = _COLUMNS[scope]
        if column and not names:
            return 0
        marks = ", ".join("?" * len(names))
        where = f" AND {column} IN ({marks})" if column else ""
        hour = -(-since // HOUR)
        # Whole hours, and the minutes before the first of them (a zone off by half an hour).
        total = 0
        for table, first, end in (
            ("usage_hour", hour, 1 << 40),
            ("usage_minute", since // MINUTE, hour * HOUR // MINUTE),
        ):
            rows = self._database.read(
                f"SELECT coalesce(sum(cost_nano), 0) FROM {table}"  # noqa: S608 - fixed names
                f" WHERE span >= ? AND span < ?{where}",
                (first, end, *names),
            )
            total += int(rows[0][0])
        return total


# The only text that is put into SQL; every value is a parameter.
_COLUMNS: dict[Scope, str] = {
    "hub": "",
    "tenant": "tenant",
    "key": "key",
    "user": "key",
    "model": "(SELECT name FROM names WHERE id = model)",
}


def _row(row: Row) -> BudgetRow:
    number, scope, name, day, month, soft, at_limit, changed = row
    if scope not in get_args(Scope) or at_limit not in get_args(AtLimit):
        raise ValueError(f"budget {number} is of a newer pihub")
    budget = Budget(
        scope=scope,
        name=name,
        day_nano=day,
        month_nano=month,
        soft_percent=soft,
        at_limit=at_limit,
    )
    return BudgetRow(number, budget, changed)
