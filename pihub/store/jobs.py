"""The database of deferred requests: each change is on disk before it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pihub.store.migrate import migrate, migrations
from pihub.store.requests import signed, unsigned
from pihub.store.sqlite import Database

JOBS_DB = "jobs.db"
"""The file's name, beside store.url."""
OPEN = ("queued", "sending", "sent", "running")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One deferred request; the table's columns but for the large ones."""

    id: str
    rid: int
    tenant: int
    key: int
    route: int
    protocol: str
    alias: str
    upstream: str
    model: str
    created: float
    deadline: float
    state: str = "queued"
    batch: str = ""
    sending: float = 0.0
    attempts: int = 0
    ended: float = 0.0
    error: str = ""
    input_tokens: int = 0
    """As `cost`: while it is open, of calls whose answers were lost."""
    output_tokens: int = 0
    cost: int = 0
    billed: int = 0
    webhook: str = ""
    told: int = 0
    tell_at: float = 0.0
    tell_tries: int = 0
    held: int = 0
    """nano-USD that the budgets hold for it while it is being sent and answered."""
    after: float = 0.0
    """It is not looked at before."""
    soon: int = 0
    """1: neither for a batch nor for the night, but as soon as its target is reached."""

    @property
    def over(self) -> bool:
        return self.state not in OPEN


_COLUMNS = Job.__struct_fields__
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM jobs"  # noqa: S608 - this file's own constants


class JobStore:
    """One SQLite file (WAL, synchronous FULL)."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "FULL")
        migrate(self.database, migrations("jobs"))
        with self.database.write() as connection:
            connection.pragma("secure_delete", "ON")

    def add(self, job: Job, body: bytes) -> bool:
        """False if there is one with this id."""
        values = {name: getattr(job, name) for name in _COLUMNS} | {"rid": signed(job.rid)}
        with self.database.write() as connection:
            connection.execute(
                f"INSERT INTO jobs ({', '.join(_COLUMNS)}, body)"  # noqa: S608
                f" VALUES ({', '.join('?' * (len(_COLUMNS) + 1))}) ON CONFLICT (id) DO NOTHING",
                (*values.values(), body),
            )
            return connection.changes() > 0

    def count_open(self, tenant: int) -> int:
        return int(
            self.database.read(
                "SELECT count(*) FROM jobs WHERE tenant = ? AND state IN"
                " ('queued', 'sending', 'sent', 'running')",
                (tenant,),
            )[0][0]
        )

    def one(self, id_: str, tenant: int | None = None) -> Job | None:
        found = self._some("WHERE id = ?", (id_,))
        return found[0] if found and tenant in (None, found[0].tenant) else None

    def body(self, id_: str) -> bytes:
        return bytes(self.database.read("SELECT body FROM jobs WHERE id = ?", (id_,))[0][0])

    def result(self, id_: str) -> bytes | None:
        rows = self.database.read("SELECT result FROM jobs WHERE id = ?", (id_,))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def newest(self, limit: int, tenant: int | None = None) -> list[Job]:
        where, values = ("", []) if tenant is None else ("WHERE tenant = ?", [tenant])
        return self._some(f"{where} ORDER BY created DESC, id LIMIT ?", (*values, limit))

    def in_state(self, *states: str, limit: int = 1000) -> list[Job]:
        marks = ", ".join("?" * len(states))
        return self._some(f"WHERE state IN ({marks}) ORDER BY deadline LIMIT ?", (*states, limit))

    def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """Those that may be begun, the most urgent first."""
        return self._some(
            "WHERE state = 'queued' AND after <= ? ORDER BY deadline LIMIT ?", (now, limit)
        )

    def held(self) -> list[Job]:
        """Those for which the budgets hold something."""
        return self._some(
            "WHERE held > 0 AND billed = 0 AND (state IN ('sending', 'sent', 'running')"
            " OR input_tokens > 0 OR batch <> '')", ()
        )  # fmt: skip

    def unbilled(self) -> list[Job]:
        return self._some("WHERE input_tokens > 0 AND billed = 0 AND ended > 0", ())

    def untold(self, webhook: str, now: float, limit: int = 100) -> list[Job]:
        return self._some(
            "WHERE webhook = ? AND told = 0 AND ended > 0 AND tell_at <= ?"
            " ORDER BY tell_at LIMIT ?",
            (webhook, now, limit),
        )

    def listeners(self) -> Mapping[str, float]:
        """Who is still to be told of something, and from when on; the earliest first."""
        return dict(
            self.database.read(
                "SELECT webhook, min(tell_at) FROM jobs WHERE webhook <> '' AND told = 0"
                " AND ended > 0 GROUP BY webhook ORDER BY 2"
            )
        )

    def batches(self) -> list[tuple[str, str]]:
        """(batch, upstream) of those whose results are to come."""
        rows = self.database.read(
            "SELECT DISTINCT batch, upstream FROM jobs WHERE batch <> ''"
            " AND state IN ('sent', 'cancelled')"
        )
        return [(str(batch), str(upstream)) for batch, upstream in rows]

    def of_batch(self, batch: str) -> list[Job]:
        return self._some("WHERE batch = ?", (batch,))

    def cancelled_since(self, upstream: str, sending: float) -> list[Job]:
        """Those that were cancelled while they were being sent with others, at that time."""
        return self._some(
            "WHERE state = 'cancelled' AND batch = '' AND input_tokens = 0 AND soon = 0"
            " AND upstream = ? AND sending = ?",
            (upstream, sending),
        )

    def change(self, ids: Iterable[str], *states: str, **values: Any) -> int:
        """Set `values` of those that are in one of `states` (any, if none is given), in one
        transaction; how many were changed."""
        names = ", ".join(f"{name} = ?" for name in values)
        only = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
        changed = 0
        with self.database.write() as connection:
            for id_ in ids:
                connection.execute(
                    f"UPDATE jobs SET {names} WHERE id = ?{only}",  # noqa: S608
                    (*values.values(), id_, *states),
                )
                changed += connection.changes()
        return changed

    def begin(self, held: Mapping[str, int], state: str, now: float) -> set[str]:
        """Queued jobs by id, with what is held for each, to `state`, in one transaction; which
        of them were queued."""
        begun = set()
        with self.database.write() as connection:
            for id_, nano in held.items():
                connection.execute(
                    "UPDATE jobs SET state = ?, sending = ?, held = ?, error = ''"
                    " WHERE id = ? AND state = 'queued'",
                    (state, now, nano, id_),
                )
                if connection.changes():
                    begun.add(id_)
        return begun

    def counts(self) -> Mapping[str, int]:
        return dict(self.database.read("SELECT state, count(*) FROM jobs GROUP BY state"))

    def prune(self, before: float, limit: int = 500) -> int:
        """Of those that ended before then; prompts and answers are overwritten, in the WAL too."""
        with self.database.write() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended > 0 AND ended < ?"
                " AND (input_tokens = 0 OR billed = 1) LIMIT ?)",
                (before, limit),
            )
            gone = connection.changes()
        if gone:
            self.database.checkpoint()
        return gone

    def close(self) -> None:
        self.database.close()

    def _some(self, rest: str, values: Sequence[Any]) -> list[Job]:
        rows = self.database.read(f"{_SELECT} {rest}", values)
        return [
            msgspec.convert(dict(zip(_COLUMNS, row, strict=True)) | {"rid": unsigned(row[1])}, Job)
            for row in rows
        ]
