"""The control database: keys and tenants, each change on disk before it is told."""

from __future__ import annotations

from pathlib import Path

from pihub.store.migrate import migrate, migrations
from pihub.store.rows import KeyRow, NewKey
from pihub.store.sqlite import Connection, Database, Row

_SELECT = (
    "SELECT k.id, k.tenant, t.name, k.name, k.hash, k.hint, k.flags, k.created, k.expires,"
    " k.revoked FROM keys k JOIN tenants t ON t.id = k.tenant"
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
                    "INSERT INTO tenants (name) VALUES (?) ON CONFLICT DO NOTHING",
                    (new.tenant,),
                )
                connection.execute(
                    "INSERT INTO keys (tenant, name, hash, hint, created, expires)"
                    " SELECT id, ?, ?, ?, ?, ? FROM tenants WHERE name = ?",
                    (new.name, _bytes(new.hash), new.hint, new.created, new.expires, new.tenant),
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
        with self.database.write() as connection:
            connection.execute(
                "UPDATE keys SET revoked = ? WHERE id = ? AND revoked = 0", (now, number)
            )
            return _one(connection, number)

    def expire(self, number: int, at: int) -> KeyRow | None:
        with self.database.write() as connection:
            connection.execute("UPDATE keys SET expires = ? WHERE id = ?", (at, number))
            return _one(connection, number)

    def version(self) -> int:
        return int(self.database.read("PRAGMA data_version")[0][0])

    def close(self) -> None:
        self.database.close()


def _one(connection: Connection, number: int) -> KeyRow | None:
    rows = connection.execute(f"{_SELECT} WHERE k.id = ?", (number,)).fetchall()
    return _key(rows[0]) if rows else None


def _bytes(halves: tuple[int, int]) -> bytes:
    return halves[0].to_bytes(8, "big") + halves[1].to_bytes(8, "big")


def _key(row: Row) -> KeyRow:
    number, tenant, tenant_name, name, digest, hint, flags, created, expires, revoked = row
    high, low = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    return KeyRow(
        number, tenant, tenant_name, name, (high, low), hint, flags, created, expires, revoked
    )
