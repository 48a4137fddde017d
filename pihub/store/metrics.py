"""The metrics database: what the recorder writes and the pages and reports read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pihub.store.latency import quantiles
from pihub.store.migrate import migrate, migrations
from pihub.store.requests import NameTable, insert, prepare, signed, unsigned
from pihub.store.rollup import DIMENSIONS
from pihub.store.rows import (
    STEP_SECONDS,
    Dimension,
    NameLookup,
    RequestRow,
    Spend,
    Step,
    UsageRow,
)
from pihub.store.sqlite import Database

_REQUESTS = (
    "SELECT r.id, r.ts, r.rid, r.tenant, r.key, r.route, r.status, r.cache, r.flags,"
    " r.reason, r.attempts, r.worker, m.name, u.name, a.name, e.name, r.dur_us, r.ttft_us,"
    " r.in_tok, r.out_tok, r.cache_read_tok, r.cache_write_tok, r.cost_nano, r.saved_nano"
    " FROM requests r LEFT JOIN names m ON m.id = r.model"
    " LEFT JOIN names u ON u.id = r.upstream LEFT JOIN names a ON a.id = r.alias"
    " LEFT JOIN names e ON e.id = r.error"
)
_OLDER = f"{_REQUESTS} WHERE r.id < ? ORDER BY r.id DESC LIMIT ?"
_NEWER = f"{_REQUESTS} WHERE r.id > ? ORDER BY r.id LIMIT ?"
_SUMS = (
    "requests, in_tok, out_tok, cache_read_tok, cache_write_tok, cost_nano, unpriced,"
    " saved_nano, latency"
)
_NAMED = ("model", "upstream")
"""Dimensions whose values are numbers of names."""
_STEPS: tuple[Step, ...] = ("minute", "hour", "day")
"""As `usage_by` numbers them."""
ROLLUP_FACTOR = 10
"""Hours are kept this many times as long as requests and minutes, days so many times as hours."""
MINUTE_DAYS = 7
"""Reports by minute reach back so far, at most: their rows are most of what is stored."""
_QUANTILES = (0.5, 0.95, 0.99)
_MAX_ID = (1 << 63) - 1


class MetricsStore:
    """Implements rows.EventStore on one SQLite file (WAL, synchronous NORMAL).

    A commit survives the death of any process; a power cut may take the last seconds.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "NORMAL")
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
        with self.database.write() as connection:
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

    def has_recent(self, rid: int) -> bool:
        """Whether one of the last 20,000 requests has this id."""
        return bool(
            self.database.read(
                "SELECT 1 FROM requests WHERE id > (SELECT max(id) FROM requests) - 20000"
                " AND rid = ? LIMIT 1",
                (signed(rid),),
            )
        )

    def recent(self, limit: int, before: int | None = None) -> list[RequestRow]:
        return self._requests(_OLDER, _MAX_ID if before is None else before, limit)

    def newer(self, limit: int, after: int) -> list[RequestRow]:
        return self._requests(_NEWER, after, limit)

    def _requests(self, sql: str, edge: int, limit: int) -> list[RequestRow]:
        return [
            RequestRow(
                row[0],
                unsigned(row[1]),
                unsigned(row[2]),
                *row[3:12],
                *(name or "" for name in row[12:16]),
                *row[16:],
            )
            for row in self.database.read(sql, (edge, limit))
        ]

    def usage(self, start: int, end: int, step: Step, by: Dimension) -> list[UsageRow]:
        seconds = STEP_SECONDS[step]
        rows = self.database.read(
            f"SELECT span, value, {_SUMS} FROM usage_by WHERE step = ? AND span >= ?"  # noqa: S608
            " AND span < ? AND dimension = ? ORDER BY span, value",
            (_STEPS.index(step), start // seconds, -(-end // seconds), DIMENSIONS.index(by)),
        )
        names: dict[int, str] = {}
        if by in _NAMED:
            names = dict(self.database.read("SELECT id, name FROM names"))
        found = []
        for span, value, *sums, latency in rows:
            group = names.get(value, "") if by in _NAMED else "" if by == "none" else str(value)
            found.append(
                UsageRow(span * seconds, group, *sums, *quantiles(latency, _QUANTILES))
            )
        return found

    def spent(self, since: int, *, simulated: bool = False) -> Spend:
        # Minutes up to the next full hour, hours from there.
        hour = -(-since // 3600)
        row = self.database.read(
            "SELECT coalesce(sum(cost_nano), 0), coalesce(sum(saved_nano), 0),"
            " coalesce(sum(unpriced), 0) FROM ("
            "SELECT cost_nano, saved_nano, unpriced FROM usage_minute"
            " WHERE span >= ?1 AND span < ?2 * 60 AND simulated = ?3 UNION ALL"
            " SELECT cost_nano, saved_nano, unpriced FROM usage_hour"
            " WHERE span >= ?2 AND simulated = ?3)",
            (since // 60, hour, int(simulated)),
        )[0]
        return Spend(*row)

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
        return {"kind": "sqlite", "bytes": self.database.size()}

    def close(self) -> None:
        self.database.close()
