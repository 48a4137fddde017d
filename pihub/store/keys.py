"""The control database: keys and tenants, each change on disk before it is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pihub.store.migrate import migrate, migrations
from pihub.store.rows import KeyRow, NewKey, TenantRow
from pihub.store.sqlite import Connection, Database, Row

_SELECT = (
    "SELECT k.id, k.tenant, t.name, k.name, k.hash, k.hint, k.flags, k.created, k.expires,"
    " k.revoked, k.user, k.scope, k.successor, coalesce(u.at, 0) FROM keys k"
    " JOIN tenants t ON t.id = k.tenant LEFT JOIN key_use u ON u.key = k.id"
)
_TENANTS = (
    "SELECT id, name, created, disabled, requests_per_minute, models, apis,"
    " (SELECT count(*) FROM keys k WHERE k.tenant = t.id AND k.revoked = 0) FROM tenants t"
)
CONTROL_DB = "control.db"
"""The file's name, beside store.url and the pepper."""


class _BeyondHighest(Exception):
    """Rolls the transaction back."""


class KeyDatabase:
    """Implements rows.KeyStore on one SQLite file (WAL, synchronous FULL)."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "FULL")
        migrate(self.database, migrations("control"))

    def add(self, new: NewKey, highest: int) -> KeyRow | None:
        try:
            with self.database.write() as connection:
                connection.execute(
                    "INSERT INTO tenants (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (new.tenant, new.created),
                )
                connection.execute(
                    "INSERT INTO keys (tenant, name, hash, hint, created, expires, user, scope)"
                    " SELECT id, ?, ?, ?, ?, ?, ?, ? FROM tenants WHERE name = ?",
                    (
                        new.name,
                        _bytes(new.hash),
                        new.hint,
                        new.created,
                        new.expires,
                        new.user,
                        new.scope,
                        new.tenant,
                    ),
                )
                number = connection.last_insert_rowid()
                if number > highest:
                    raise _BeyondHighest
                return _one(connection, number)
        except _BeyondHighest:
            return None

    def list(self) -> list[KeyRow]:
        return [_key(row) for row in self.database.read(f"{_SELECT} ORDER BY k.id")]

    def revoke(self, number: int, now: int) -> KeyRow | None:
        return self._changed(
            number, "UPDATE keys SET revoked = ? WHERE id = ? AND revoked = 0", (now, number)
        )

    def expire(self, number: int, at: int) -> KeyRow | None:
        return self._changed(number, "UPDATE keys SET expires = ? WHERE id = ?", (at, number))

    def rescope(self, number: int, name: str, scope: str) -> KeyRow | None:
        return self._changed(
            number, "UPDATE keys SET name = ?, scope = ? WHERE id = ?", (name, scope, number)
        )

    def succeed(self, number: int, successor: int, at: int) -> KeyRow | None:
        return self._changed(
            number,
            "UPDATE keys SET successor = ?, expires = iif(expires = 0, ?2, min(expires, ?2))"
            " WHERE id = ?3",
            (successor, at, number),
        )

    def used(self, keys: Iterable[tuple[int, int]]) -> None:
        with self.database.write() as connection:
            connection.executemany(
                "INSERT INTO key_use SELECT id, ?2 FROM keys WHERE id = ?1"
                " ON CONFLICT (key) DO UPDATE SET at = max(at, excluded.at)",
                list(keys),
            )

    def tenants(self) -> Sequence[TenantRow]:
        return [
            TenantRow._make((*row[:5], json.loads(row[5]), json.loads(row[6]), row[7]))
            for row in self.database.read(f"{_TENANTS} ORDER BY id")
        ]

    def add_tenant(self, name: str, now: int) -> bool:
        with self.database.write() as connection:
            connection.execute(
                "INSERT INTO tenants (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (name, now),
            )
            return bool(connection.changes())

    def change_tenant(self, tenant: TenantRow) -> None:
        with self.database.write() as connection:
            connection.execute(
                "UPDATE tenants SET disabled = ?, requests_per_minute = ?, models = ?, apis = ?"
                " WHERE id = ?",
                (
                    tenant.disabled,
                    tenant.requests_per_minute,
                    json.dumps(tenant.models),
                    json.dumps(tenant.apis),
                    tenant.id,
                ),
            )

    def version(self) -> int:
        return int(self.database.read("SELECT n FROM key_version")[0][0])

    def close(self) -> None:
        self.database.close()

    def _changed(self, number: int, sql: str, values: tuple[object, ...]) -> KeyRow | None:
        with self.database.write() as connection:
            connection.execute(sql, values)
            return _one(connection, number)


def _one(connection: Connection, number: int) -> KeyRow | None:
    rows = connection.execute(f"{_SELECT} WHERE k.id = ?", (number,)).fetchall()
    return _key(rows[0]) if rows else None


def _bytes(halves: tuple[int, int]) -> bytes:
    return halves[0].to_bytes(8, "big") + halves[1].to_bytes(8, "big")


def _key(row: Row) -> KeyRow:
    digest = row[4]
    halves = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"))
    return KeyRow._make((*row[:4], halves, *row[5:]))
