"""Alerts and silences in the control database (WAL, synchronous FULL)."""

from __future__ import annotations

from typing import NamedTuple

from pihub.store.sqlite import Database

_COLUMNS = (
    "id, rule, subject, severity, text, value, opened, closed, times, acknowledged,"
    " acknowledged_by, told, told_open, told_at"
)


class AlertRow(NamedTuple):
    """One alert; times in unix seconds, 0: not yet."""

    id: int
    rule: str
    subject: str
    severity: str
    text: str
    value: float
    opened: int
    closed: int
    times: int
    acknowledged: int
    acknowledged_by: str
    told: int
    told_open: int
    told_at: int

    @property
    def open(self) -> bool:
        return not self.closed


class SilenceRow(NamedTuple):
    id: int
    rule: str
    subject: str
    """Empty: all of the rule."""
    until: int
    by: str
    reason: str
    at: int


class AlertRows:
    """Every method that writes returns after the commit. Raises StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsettled(self) -> list[AlertRow]:
        """What is open, and what is over and was not told to be."""
        return self._rows("closed = 0 OR told_open = 1", ())

    def last(self, rule: str, subject: str, since: int) -> AlertRow | None:
        """The newest of a rule and subject that ended since then."""
        rows = self._rows(
            "rule = ? AND subject = ? AND closed >= ? AND closed > 0", (rule, subject, since), 1
        )
        return rows[0] if rows else None

    def page(
        self, count: int, *, before: int | None = None, after: int | None = None,
        open_only: bool = False, rule: str = "",
    ) -> list[AlertRow]:  # fmt: skip
        """Newest first below `before`, or oldest first above `after`."""
        wanted, values = ["1"], list[int | str]()
        if open_only:
            wanted.append("closed = 0")
        if rule:
            wanted.append("rule = ?")
            values.append(rule)
        order = "DESC"
        if after is not None:
            wanted.append("id > ?")
            values.append(after)
            order = "ASC"
        elif before is not None:
            wanted.append("id < ?")
            values.append(before)
        return self._rows(" AND ".join(wanted), tuple(values), count, order)

    def one(self, number: int) -> AlertRow | None:
        rows = self._rows("id = ?", (number,))
        return rows[0] if rows else None

    def add(self, row: AlertRow) -> int:
        """Its number; `row.id` is ignored."""
        with self._database.write() as connection:
            connection.execute(
                f"INSERT INTO alerts ({_COLUMNS}) VALUES"  # noqa: S608 - this file's constants
                " (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row[1:],
            )
            return connection.last_insert_rowid()

    def change(self, row: AlertRow) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE alerts SET severity = ?, text = ?, value = ?, closed = ?, times = ?,"
                " told = ?, told_open = ?, told_at = ? WHERE id = ?",
                (row.severity, row.text, row.value, row.closed, row.times, row.told,
                 row.told_open, row.told_at, row.id),
            )  # fmt: skip

    def acknowledge(self, number: int, by: str, now: int) -> AlertRow | None:
        """None if there is none; who was first stays."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE alerts SET acknowledged = ?, acknowledged_by = ?"
                " WHERE id = ? AND acknowledged = 0",
                (now, by, number),
            )
        return self.one(number)

    def silences(self, now: int) -> list[SilenceRow]:
        """Those in force."""
        rows = self._database.read(
            "SELECT id, rule, subject, until, by, reason, at FROM alert_silences"
            " WHERE until > ? ORDER BY id",
            (now,),
        )
        return [SilenceRow(*row) for row in rows]

    def silence(self, rule: str, subject: str, until: int, by: str, reason: str, now: int) -> int:
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO alert_silences (rule, subject, until, by, reason, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (rule, subject, until, by, reason, now),
            )
            return connection.last_insert_rowid()

    def unsilence(self, number: int) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM alert_silences WHERE id = ?", (number,))

    def prune(self, before: int, now: int) -> None:
        """Alerts that ended before then, and silences that are over."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM alerts WHERE closed > 0 AND closed < ?", (before,))
            connection.execute("DELETE FROM alert_silences WHERE until <= ?", (now,))

    def _rows(
        self, where: str, values: tuple[int | str, ...], count: int = 1000, order: str = "DESC"
    ) -> list[AlertRow]:
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM alerts WHERE {where}"  # noqa: S608 - this file's constants
            f" ORDER BY id {order} LIMIT ?",
            (*values, count),
        )
        return [AlertRow(*row) for row in rows]
