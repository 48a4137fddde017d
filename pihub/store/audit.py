"""The audit log's table: rows are added, never changed (triggers refuse it)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pihub.store.sqlite import Database

_COLUMNS = "seq, at, actor, source, tenant, action, object, result, before, after, hash"
_SELECT = f"SELECT {_COLUMNS} FROM audit"  # noqa: S608 - constants
BATCH = 500


class AuditRow(NamedTuple):
    """One thing that somebody did. `at` in unix nanoseconds; `before`, `after`: JSON."""

    seq: int
    at: int
    actor: str
    source: str
    tenant: int | None
    action: str
    object: str
    result: str
    before: str
    after: str
    hash: bytes


class AuditStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, make: Callable[[int, bytes], AuditRow]) -> AuditRow:
        """`make(seq, hash of the row before)`, within the transaction that adds it."""
        with self._database.write() as connection:
            last = connection.execute(
                "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
            ).fetchone()
            row = make(1 if last is None else last[0] + 1, b"" if last is None else last[1])
            connection.execute(
                f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                row,
            )
            return row

    def last_object(self, action: str) -> str:
        """Of the last row with that action, "" if there is none."""
        rows = self._database.read(
            "SELECT object FROM audit WHERE action = ? ORDER BY seq DESC LIMIT 1", (action,)
        )
        return str(rows[0][0]) if rows else ""

    def page(
        self, tenant: int | None, edge: int | None, backward: bool, count: int
    ) -> list[AuditRow]:
        """Newest first, beyond `edge`; `backward`: oldest first."""
        where, values = [], []
        if tenant is not None:
            where.append("tenant = ?")
            values.append(tenant)
        if edge is not None:
            where.append("seq > ?" if backward else "seq < ?")
            values.append(edge)
        sql = f"{_SELECT} WHERE {' AND '.join(where) or '1'} ORDER BY seq"
        rows = self._database.read(
            f"{sql}{'' if backward else ' DESC'} LIMIT ?", (*values, count)
        )
        return [AuditRow(*row) for row in rows]

    def all(self) -> Iterator[AuditRow]:
        """Oldest first, read in batches."""
        last = 0
        while True:
            rows = self._database.read(
                f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (last, BATCH)
            )
            if not rows:
                return
            for row in rows:
                yield AuditRow(*row)
            last = rows[-1][0]
