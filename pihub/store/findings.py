"""Findings of the scanner in the metrics database, allowances in the control database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from pihub.domain.finding import Finding
from pihub.store.requests import signed
from pihub.store.sqlite import Database, Row

_SELECT = (
    "SELECT id, ts, offset, tenant, points, blocked, kind, place, field, rule, path, key"
    " FROM findings"
)
_INSERT = (
    "INSERT OR IGNORE INTO findings (id, ts, offset, tenant, points, blocked, kind, place, field,"
    " rule, path, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RECENT = f"{_SELECT} ORDER BY ts DESC, id LIMIT ?"
_ONE = f"{_SELECT} WHERE id = ?"


class FindingRows:
    """On the metrics store's connection; what is committed here survives any process."""

    def __init__(self, database: Database, boot: int) -> None:
        self._database = database
        self._boot = signed(boot)

    def cursors(self) -> dict[int, int]:
        rows = self._database.read(
            "SELECT ring, position FROM finding_cursors WHERE boot = ?", (self._boot,)
        )
        return dict(rows)

    def commit(self, cursors: dict[int, int], findings: Sequence[Finding]) -> None:
        """What was read, and how far: in one transaction."""
        with self._database.write() as connection:
            connection.executemany(
                _INSERT,
                [(*one[:5], int(one.blocked), *one[6:]) for one in findings],
            )
            connection.execute("DELETE FROM finding_cursors WHERE boot <> ?", (self._boot,))
            connection.executemany(
                "INSERT INTO finding_cursors (boot, ring, position) VALUES (?, ?, ?)"
                " ON CONFLICT (boot, ring) DO UPDATE SET position = excluded.position",
                [(self._boot, ring, at) for ring, at in cursors.items()],
            )

    def recent(self, limit: int) -> list[Finding]:
        """Newest first."""
        rows = self._database.read(_RECENT, (limit,))
        return [_finding(row) for row in rows]

    def one(self, number: int) -> Finding | None:
        rows = self._database.read(_ONE, (number,))
        return _finding(rows[0]) if rows else None

    def prune(self, before_ns: int, rows: int) -> int:
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM findings WHERE id IN"
                " (SELECT id FROM findings WHERE ts < ? ORDER BY ts LIMIT ?)",
                (before_ns, rows),
            )
            return connection.changes()


class AllowanceRow(NamedTuple):
    id: int
    path: str
    place: str
    field: str
    rule: str
    by: str
    at: int


class AllowanceRows:
    """On the control database (WAL, synchronous FULL), which its owner closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[AllowanceRow]:
        rows = self._database.read(
            "SELECT id, path, place, field, rule, by, at FROM scanner_allowances ORDER BY id"
        )
        return [AllowanceRow(*row) for row in rows]

    def add(self, finding: Finding, by: str) -> None:
        """Again: no change."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO scanner_allowances (path, place, field, rule, by, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (finding.path, finding.place, finding.field, finding.rule, by, int(time.time())),
            )

    def remove(self, number: int) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM scanner_allowances WHERE id = ?", (number,))


def _finding(row: Row) -> Finding:
    id_, ts, offset, tenant, points, blocked, kind, place, field, rule, path, key = row
    return Finding(
        id_, ts, offset, tenant, points, bool(blocked), kind, place, field, rule, path, key
    )
