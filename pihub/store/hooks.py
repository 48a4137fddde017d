"""Events and deliveries in SQLite: `hooks.db` beside the metrics, synchronous FULL.

Functions that take a connection run inside a transaction of `store.group`; the class
reads what is committed. Only pending rows are in the index that delivery walks, so a
backlog of any length costs the same a step.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from pihub.store.migrate import migrate, migrations
from pihub.store.sqlite import Connection, Database

FILE_NAME = "hooks.db"
DAY_MS = 86_400_000
DEAD_DAYS = 30
"""How long dead letters are kept for a replay, and the names of who was forgotten."""


class State(IntEnum):
    """Of a delivery."""

    PENDING = 0
    DELIVERED = 1
    DEAD = 2
    ERASED = 3


class NewEvent(NamedTuple):
    """An event to be kept, and for whom."""

    key: bytes
    object: str
    kind: str
    at: int
    body: str
    targets: Sequence[str]
    forget: bool = False
    """It asks to forget its object: bodies of earlier events are erased with it."""


class Taken(NamedTuple):
    """What became of a request's events."""

    accepted: int
    duplicates: int
    erased: int
    """Of objects that were to be forgotten."""
    targets: frozenset[str]
    """Who has something new."""


class Due(NamedTuple):
    """A delivery at the head of its lane."""

    id: int
    key: bytes
    source: str
    object: str
    kind: str
    at: int
    body: str
    """Empty: it was erased meanwhile."""
    attempts: int
    received: int


class Outcome(NamedTuple):
    """How an attempt ended."""

    delivery: int
    target: str
    lane: str
    state: State
    ended: int
    status: int
    error: str
    next: int
    """When the lane is looked at again."""


def lane(source: str, about: str, key: bytes) -> str:
    """What is kept in order; an event about nothing is a lane of its own."""
    return f"{source}/{about}" if about else f"{source}//{key.hex()}"


class HookDatabase:
    """The file; reading is thread-safe, writing goes through a GroupCommit."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "FULL")
        migrate(self.database, migrations("hooks"))
        with self.database.write() as connection:
            connection.pragma("secure_delete", "ON")
            connection.execute(
                "INSERT INTO secrets VALUES ('forgotten', ?) ON CONFLICT DO NOTHING",
                (secrets.token_bytes(16),),
            )
        self._secret: bytes = self.database.read(
            "SELECT value FROM secrets WHERE name = 'forgotten'"
        )[0][0]

    def add(
        self, connection: Connection, source: str, events: Iterable[NewEvent], now: int, due: int
    ) -> Taken:
        """Inside a transaction. `due`: when a lane that waits for nothing may be sent."""
        accepted = duplicates = erased = 0
        told: set[str] = set()
        for event in events:
            about = self._about(source, event.object)
            if not event.forget and _is_forgotten(connection, about, event.at):
                erased += 1
                continue
            connection.execute(
                "INSERT INTO events (key, source, object, kind, at, received, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (event.key, source, event.object, event.kind, event.at, now, event.body),
            )
            if not connection.changes():
                duplicates += 1
                continue
            accepted += 1
            number = connection.last_insert_rowid()
            if event.forget:
                _forget(connection, source, event.object, about, number, event.at, now)
            name = lane(source, event.object, event.key)
            for target in event.targets:
                connection.execute(
                    "INSERT INTO deliveries (event, target, lane, at) VALUES (?, ?, ?, ?)",
                    (number, target, name, event.at),
                )
                connection.execute(
                    "INSERT INTO lanes VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (target, name, due),
                )
            told.update(event.targets)
        return Taken(accepted, duplicates, erased, frozenset(told))

    def _about(self, source: str, about: str) -> bytes:
        return hashlib.blake2b(
            f"{source}\0{about}".encode(), key=self._secret, digest_size=16
        ).digest()

    # ---- what delivery reads ------------------------------------------------------------

    def due(self, target: str, now: int, limit: int) -> list[str]:
        """Lanes to look at, the longest waiting first."""
        rows = self.database.read(
            "SELECT lane FROM lanes WHERE target = ? AND next <= ? ORDER BY next LIMIT ?",
            (target, now, limit),
        )
        return [row[0] for row in rows]

    def next_due(self, target: str, after: int) -> int | None:
        """The earliest look later than `after`."""
        row = self.database.read(
            "SELECT min(next) FROM lanes WHERE target = ? AND next > ?", (target, after)
        )[0]
        return None if row[0] is None else int(row[0])

    def head(self, target: str, name: str, limit: int) -> list[Due]:
        """The lane's pending deliveries in their order."""
        rows = self.database.read(
            "SELECT d.id, e.key, e.source, e.object, e.kind, e.at, coalesce(e.body, ''),"
            " d.attempts, e.received FROM deliveries d JOIN events e ON e.id = d.event"
            " WHERE d.target = ? AND d.lane = ? AND d.state = 0 ORDER BY d.at, d.event LIMIT ?",
            (target, name, limit),
        )
        return [Due(*row) for row in rows]

    def pending(self) -> int:
        return int(self.database.read("SELECT count(*) FROM deliveries WHERE state = 0")[0][0])

    def dead(self) -> int:
        return int(self.database.read("SELECT count(*) FROM deliveries WHERE state = 2")[0][0])

    def info(self) -> dict[str, Any]:
        return {"kind": "sqlite", "bytes": self.database.size()}

    def close(self) -> None:
        self.database.close()


def settle(connection: Connection, outcome: Outcome) -> None:
    """Write an attempt down, and when its lane goes on; inside a transaction."""
    connection.execute(
        "UPDATE deliveries SET state = ?, attempts = attempts + 1, ended = ?, status = ?,"
        " error = ? WHERE id = ? AND state = 0",
        (outcome.state, outcome.ended, outcome.status, outcome.error, outcome.delivery),
    )
    _go_on(connection, outcome.target, outcome.lane, outcome.next)


def postpone(connection: Connection, target: str, name: str, until: int) -> None:
    """Look at a lane later, without an attempt; never again if nothing is pending."""
    _go_on(connection, target, name, until)


def _go_on(connection: Connection, target: str, name: str, at: int) -> None:
    more = connection.execute(
        "SELECT 1 FROM deliveries WHERE target = ? AND lane = ? AND state = 0 LIMIT 1",
        (target, name),
    ).fetchall()
    if more:
        connection.execute(
            "UPDATE lanes SET next = ? WHERE target = ? AND lane = ?", (at, target, name)
        )
    else:
        connection.execute("DELETE FROM lanes WHERE target = ? AND lane = ?", (target, name))


def replay(
    connection: Connection,
    target: str,
    now: int,
    numbers: Sequence[int] | None,
    sources: Sequence[str] | None = None,
) -> int:
    """Dead letters of a target pending again (all, or some deliveries; of all senders, or of
    some); how many."""
    some = "" if numbers is None else f" AND id IN ({','.join('?' * len(numbers))})"
    if sources is not None:
        marks = ",".join("?" * len(sources))
        some += f" AND event IN (SELECT id FROM events WHERE source IN ({marks}))"  # noqa: S608
    values = (target, *(numbers or ()), *(sources or ()))
    rows = connection.execute(
        "UPDATE deliveries SET state = 0, attempts = 0, error = '' WHERE target = ?"  # noqa: S608
        f" AND state = 2{some} RETURNING lane",
        values,
    ).fetchall()
    connection.executemany(
        "INSERT INTO lanes VALUES (?, ?, ?) ON CONFLICT (target, lane)"
        " DO UPDATE SET next = min(next, excluded.next)",
        [(target, name, now) for name in sorted({str(row[0]) for row in rows})],
    )
    return len(rows)


def bury(connection: Connection, known: Sequence[str], now: int) -> int:
    """Deliveries to targets that are not configured any more become dead letters, which a
    target of that name may have again; how many."""
    marks = ",".join("?" * len(known))
    connection.execute(f"DELETE FROM lanes WHERE target NOT IN ({marks})", tuple(known))  # noqa: S608
    connection.execute(
        "UPDATE deliveries SET state = 2, ended = ?, error = 'no such target'"  # noqa: S608
        f" WHERE state = 0 AND target NOT IN ({marks})",
        (now, *known),
    )
    return int(connection.changes())


def prune(connection: Connection, source: str, before: int, now: int, limit: int) -> int:
    """Delete a source's events received before that time, unless somebody still waits for
    them; dead letters go after DEAD_DAYS. At most `limit` rows; returns how many."""
    connection.execute("DELETE FROM forgotten WHERE at < ?", (now - DEAD_DAYS * DAY_MS,))
    connection.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events e WHERE source = ?"
        " AND received < ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.id"
        " AND (d.state = 0 OR d.state = 2 AND d.ended > ?)) ORDER BY id LIMIT ?)",
        (source, before, now - DEAD_DAYS * DAY_MS, limit),
    )
    return int(connection.changes())


def _is_forgotten(connection: Connection, about: bytes, at: int) -> bool:
    return bool(
        connection.execute(
            "SELECT 1 FROM forgotten WHERE object = ? AND at >= ?", (about, at)
        ).fetchall()
    )


def _forget(
    connection: Connection, source: str, name: str, about: bytes, number: int, at: int, now: int
) -> None:
    connection.execute(
        "INSERT INTO forgotten VALUES (?, ?)"
        " ON CONFLICT (object) DO UPDATE SET at = max(at, excluded.at)",
        (about, at),
    )
    earlier = "SELECT id FROM events WHERE source = ? AND object = ? AND id <> ? AND at <= ?"
    values = (source, name, number, at)
    connection.execute(
        f"UPDATE deliveries SET state = 3, ended = ? WHERE event IN ({earlier})"  # noqa: S608
        " AND state IN (0, 2)",
        (now, *values),
    )
    connection.execute(f"UPDATE events SET body = NULL WHERE id IN ({earlier})", values)  # noqa: S608
