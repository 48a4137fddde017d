"""Schema versions: numbered .sql files, each applied once, in one transaction.

A database remembers the checksum of every file that made it. A file that changed since
and a database from a newer pihub are refused: nothing is guessed.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import NamedTuple

from pihub.errors import StartupError
from pihub.store.sqlite import Connection, Database, StoreFault


class Migration(NamedTuple):
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.blake2b(self.sql.encode(), digest_size=16).hexdigest()


def migrations(folder: str) -> list[Migration]:
    """The files of `migrations/<folder>` in order, which must count from 1 without gaps."""
    found = []
    for entry in resources.files(__package__).joinpath("migrations", folder).iterdir():
        number, _, _ = entry.name.partition("_")
        if entry.name.endswith(".sql") and number.isdigit():
            found.append(Migration(int(number), entry.name, entry.read_text("utf-8")))
    found.sort()
    if not found or [item.version for item in found] != list(range(1, len(found) + 1)):
        raise StartupError(f"the migrations of {folder!r} are incomplete: reinstall pihub")
    return found


def migrate(database: Database, steps: list[Migration]) -> int:
    """Apply what is missing; returns how many. Raises StartupError, changing nothing."""
    applied = 0
    while True:
        # Each round checks and steps in one transaction: two processes that start at
        # once (the hub and `pihub keys`) take turns.
        step = None
        try:
            with database.write() as connection:
                step = _next(database, connection, steps)
                if step is None:
                    return applied
                connection.execute(step.sql)
                connection.execute(
                    "INSERT INTO schema_migrations VALUES (?, ?, ?, unixepoch())",
                    (step.version, step.name, step.checksum),
                )
                connection.pragma("user_version", step.version)
        except StoreFault as error:
            name = step.name if step else "schema_migrations"
            raise StartupError(f"{database.path}: migration {name} failed: {error}") from None
        applied += 1


def _next(database: Database, connection: Connection, steps: list[Migration]) -> Migration | None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
        "applied INTEGER NOT NULL) STRICT"
    )
    done = {
        row[0]: row[1]
        for row in connection.execute("SELECT version, checksum FROM schema_migrations")
    }
    current = connection.pragma("user_version")
    if current != max(done, default=0):
        raise StartupError(
            f"{database.path}: user_version {current} does not fit its list of migrations"
        )
    if current > len(steps):
        raise StartupError(
            f"{database.path} has schema {current}, this pihub knows {len(steps)}: "
            "it was written by a newer version"
        )
    for step in steps[:current]:
        if done.get(step.version) != step.checksum:
            raise StartupError(
                f"{database.path}: migration {step.name} is not the one that made it"
            )
    return steps[current] if current < len(steps) else None
