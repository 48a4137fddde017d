"""The metrics database: what the recorder writes and the pages and reports read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pihub.store.migrate import migrate, migrations
from pihub.store.reading import id_range
from pihub.store.reports import StoredReports
from pihub.store.requests import NameTable, insert, prepare, signed, spends, unsigned
from pihub.store.rows import NameLookup
from pihub.store.sqlite import Database

ROLLUP_FACTOR = 10
"""Hours are kept this many times as long as requests and minutes, days so many times as hours."""
MINUTE_DAYS = 7
"""Reports by minute reach back so far, at most: their rows are most of what is stored."""
NEWEST = 200_000
"""Requests among which one is looked for by its id: more than the rings of 16 workers hold (8192
each), which is what may be stored between a record and the question after a crash. 30 ms of CPU."""
AT_ONCE = 500
"""Ids of one look; SQLite's bound on a statement's values is 32,766."""


class MetricsStore(StoredReports):
    """Implements rows.EventStore on one SQLite file (WAL).

    A commit survives the death of any process. One that holds spent money is synced, so it
    survives a power cut, too (as do all before it); the others may lose the last seconds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Database(path, "NORMAL"))
        migrate(self.database, migrations("metrics"))
        with self.database.write() as connection:
            prepare(connection)
        self._names: dict[str, int] = {}

    def cursors(self, boot: int) -> dict[int, int]:
        rows = self.database.read(
            "SELECT ring, position FROM cursors WHERE boot = ?", (signed(boot),)
        )
        return {ring: unsigned(position) for ring, position in rows}

    def commit(
        self,
        boot: int,
        cursors: dict[int, int],
        lost: int,
        records: Sequence[bytes],
        names: NameLookup,
    ) -> None:
        with self.database.write(durable=spends(records)) as connection:
            table = NameTable(connection, self._names, names)
            insert(connection, records, table)
            # Cursors of other arenas are of no more use: those rings are gone.
            connection.execute("DELETE FROM cursors WHERE boot <> ?", (signed(boot),))
            connection.executemany(
                "INSERT INTO cursors (boot, ring, position) VALUES (?, ?, ?)"
                " ON CONFLICT (boot, ring) DO UPDATE SET position = excluded.position",
                [(signed(boot), ring, signed(at)) for ring, at in cursors.items()],
            )
            for name, count in (("recorded", len(records)), ("lost", lost)):
                if count:
                    connection.execute(
                        "INSERT INTO totals (name, value) VALUES (?, ?)"
                        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                        (name, count),
                    )
        self._names.update(table.fresh)

    def recorded(self, rids: Iterable[int]) -> set[int]:
        """Which of these ids the newest NEWEST requests have; one look for all of them."""
        asked, found = list(rids), set[int]()
        for start in range(0, len(asked), AT_ONCE):
            some = [signed(rid) for rid in asked[start : start + AT_ONCE]]
            rows = self.database.read(
                "SELECT rid FROM requests WHERE id > (SELECT max(id) FROM requests) - ?"  # noqa: S608
                f" AND rid IN ({','.join('?' * len(some))})",
                (NEWEST, *some),
            )
            found.update(unsigned(row[0]) for row in rows)
        return found

    def total(self, name: str) -> int:
        rows = self.database.read("SELECT value FROM totals WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else 0

    def prune(self, now: int, retention_days: int, limit: int) -> int:
        day = 86400
        oldest = now - retention_days * day
        removed = 0
        with self.database.write() as connection:
            # Rows lie in the order of recording, which is the order of time but for
            # the length of one request: stop at the first that may stay.
            last = 0
            for number, ts in connection.execute(
                "SELECT id, ts FROM requests ORDER BY id LIMIT ?", (limit,)
            ):
                if ts >= oldest * 1_000_000_000:
                    break
                last = number
            connection.execute("DELETE FROM requests WHERE id <= ?", (last,))
            removed += connection.changes()
            for table, step, seconds, days in (
                ("usage_minute", None, 60, retention_days),
                ("usage_hour", None, 3600, retention_days * ROLLUP_FACTOR),
                ("usage_by", 0, 60, min(retention_days, MINUTE_DAYS)),
                ("usage_by", 1, 3600, retention_days * ROLLUP_FACTOR),
                ("usage_by", 2, 86400, retention_days * ROLLUP_FACTOR**2),
            ):
                edge = (now - days * day) // seconds
                only = "" if step is None else f" AND step = {step}"
                # Whole spans, as many as make about `limit` rows.
                row = connection.execute(
                    f"SELECT span FROM {table} WHERE span < ?{only}"  # noqa: S608
                    " ORDER BY span LIMIT 1 OFFSET ?",
                    (edge, limit),
                ).fetchone()
                connection.execute(
                    f"DELETE FROM {table} WHERE span <= ?{only}",  # noqa: S608
                    (edge - 1 if row is None else row[0],),
                )
                removed += connection.changes()
        return removed

    def checkpoint(self) -> None:
        self.database.checkpoint()

    def info(self) -> dict[str, Any]:
        first, last = id_range(self.database)
        requests = last - first + 1
        size = self.database.size()
        return {
            "kind": "sqlite",
            "bytes": size,
            "wal_bytes": self.database.wal_size(),
            "requests": requests,
            "bytes_per_1000": size * 1000 // requests if requests else 0,
        }

    def close(self) -> None:
        self.database.close()
