"""Users, their sessions and roles in the control database; what is told is on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from pihub.store.sqlite import Database, Row

_USER = (
    "SELECT u.id, u.issuer, u.subject, u.name, u.role, u.tenant, coalesce(t.name, ''),"
    " u.password, u.totp, u.totp_step, u.created, u.disabled, u.last_login,"
    " (SELECT count(*) FROM recovery_codes r WHERE r.user = u.id)"
    " FROM users u LEFT JOIN tenants t ON t.id = u.tenant"
)
_SESSION = "SELECT id, hash, user, created, seen, ends, source, agent FROM sessions"


class UserRow(NamedTuple):
    """A person. (issuer, subject) is who it is; `name` is for people."""

    id: int
    issuer: str
    subject: str
    name: str
    role: str
    tenant: int | None
    tenant_name: str
    password: str
    """argon2id, encoded; empty: none."""
    totp: bytes | None
    """Sealed (security/seal.py); None: no second factor."""
    totp_step: int
    created: int
    disabled: int
    last_login: int
    codes_left: int


class SessionRow(NamedTuple):
    """A browser's login. Times in unix seconds."""

    id: int
    hash: bytes
    user: int
    created: int
    seen: int
    ends: int
    source: str
    agent: str


class People:
    """On the control database, which it shares with the keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # ---- users -----------------------------------------------------------------

    def users(self) -> list[UserRow]:
        return [UserRow(*row) for row in self.database.read(f"{_USER} ORDER BY u.id")]

    def user(self, number: int) -> UserRow | None:
        return _first(self.database.read(f"{_USER} WHERE u.id = ?", (number,)))

    def by_subject(self, issuer: str, subject: str) -> UserRow | None:
        return _first(
            self.database.read(
                f"{_USER} WHERE u.issuer = ? AND u.subject = ?", (issuer, subject)
            )
        )

    def add(
        self,
        issuer: str,
        subject: str,
        name: str,
        role: str,
        tenant: int | None,
        password: str,
        now: int,
    ) -> int | None:
        """The new user's number, None if there is one of that identity."""
        with self.database.write() as connection:
            connection.execute(
                "INSERT INTO users (issuer, subject, name, role, tenant, password, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (issuer, subject) DO NOTHING",
                (issuer, subject, name, role, tenant, password, now),
            )
            return connection.last_insert_rowid() if connection.changes() else None

    def set_password(self, number: int, password: str) -> None:
        """Every session of the user ends."""
        with self.database.write() as connection:
            connection.execute("UPDATE users SET password = ? WHERE id = ?", (password, number))
            connection.execute("DELETE FROM sessions WHERE user = ?", (number,))

    def set_role(self, number: int, role: str, tenant: int | None, name: str) -> None:
        self._run(
            "UPDATE users SET role = ?, tenant = ?, name = ? WHERE id = ?",
            (role, tenant, name, number),
        )

    def set_disabled(self, number: int, at: int) -> None:
        """0: enabled again. The user's sessions end."""
        with self.database.write() as connection:
            connection.execute("UPDATE users SET disabled = ? WHERE id = ?", (at, number))
            connection.execute("DELETE FROM sessions WHERE user = ?", (number,))

    def set_totp(self, number: int, secret: bytes | None, codes: Iterable[bytes]) -> None:
        """None: no second factor any more."""
        with self.database.write() as connection:
            connection.execute(
                "UPDATE users SET totp = ?, totp_step = 0 WHERE id = ?", (secret, number)
            )
            connection.execute("DELETE FROM recovery_codes WHERE user = ?", (number,))
            connection.executemany(
                "INSERT INTO recovery_codes VALUES (?, ?)", [(number, code) for code in codes]
            )

    def reseal(self, number: int, secret: bytes) -> None:
        """The same second factor in another form."""
        with self.database.write() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("UPDATE users SET totp = ? WHERE id = ?", (secret, number))

    def use_step(self, number: int, step: int) -> bool:
        """False if a code of that step or a later one was used already."""
        with self.database.write() as connection:
            connection.execute(
                "UPDATE users SET totp_step = ? WHERE id = ? AND totp_step < ?",
                (step, number, step),
            )
            return bool(connection.changes())

    def use_recovery(self, number: int, code: bytes) -> bool:
        """Each code is good once."""
        with self.database.write() as connection:
            connection.execute(
                "DELETE FROM recovery_codes WHERE user = ? AND hash = ?", (number, code)
            )
            return bool(connection.changes())

    def knows(self, number: int, source: str) -> bool:
        sql = "SELECT 1 FROM known_sources WHERE user = ? AND source = ?"
        return bool(self.database.read(sql, (number, source)))

    # ---- sessions --------------------------------------------------------------

    def begin(self, digest: bytes, user: int, now: int, ends: int, source: str, agent: str) -> int:
        """A session, and the place remembered as one of the user's own."""
        with self.database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE ends <= ?", (now,))
            connection.execute(
                "INSERT INTO sessions (hash, user, created, seen, ends, source, agent)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (digest, user, now, now, ends, source, agent),
            )
            number = connection.last_insert_rowid()
            connection.execute("UPDATE users SET last_login = ? WHERE id = ?", (now, user))
            connection.execute(
                "INSERT INTO known_sources VALUES (?, ?, ?)"
                " ON CONFLICT (user, source) DO UPDATE SET at = excluded.at",
                (user, source, now),
            )
            connection.execute(
                "DELETE FROM known_sources WHERE user = ? AND source NOT IN (SELECT source"
                " FROM known_sources WHERE user = ? ORDER BY at DESC LIMIT 32)",
                (user, user),
            )
            return number

    def session(self, digest: bytes) -> SessionRow | None:
        rows = self.database.read(f"{_SESSION} WHERE hash = ?", (digest,))
        return SessionRow(*rows[0]) if rows else None

    def sessions(self, user: int | None = None) -> list[SessionRow]:
        where, values = ("", ()) if user is None else (" WHERE user = ?", (user,))
        rows = self.database.read(f"{_SESSION}{where} ORDER BY id", values)
        return [SessionRow(*row) for row in rows]

    def touch(self, number: int, now: int) -> None:
        self._run("UPDATE sessions SET seen = ? WHERE id = ?", (now, number))

    def end(self, number: int) -> bool:
        with self.database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE id = ?", (number,))
            return bool(connection.changes())

    # ---- roles, the set-up link ------------------------------------------------

    def roles(self) -> dict[str, list[str]]:
        rows = self.database.read("SELECT name, permissions FROM roles ORDER BY name")
        return {name: json.loads(permissions) for name, permissions in rows}

    def put_role(self, name: str, permissions: list[str]) -> None:
        self._run(
            "INSERT INTO roles VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions",
            (name, json.dumps(permissions)),
        )

    def drop_role(self, name: str) -> bool:
        """False if there is none; a role that somebody has cannot be dropped."""
        with self.database.write() as connection:
            connection.execute(
                "DELETE FROM roles WHERE name = ? AND name NOT IN (SELECT role FROM users)",
                (name,),
            )
            return bool(connection.changes())

    def groups(self) -> list[tuple[str, str, str]]:
        """(issuer, group, role)"""
        return [
            (issuer, name, role)
            for issuer, name, role in self.database.read(
                "SELECT issuer, name, role FROM role_groups ORDER BY issuer, name"
            )
        ]

    def put_group(self, issuer: str, name: str, role: str) -> None:
        """An empty role removes the mapping."""
        if not role:
            self._run("DELETE FROM role_groups WHERE issuer = ? AND name = ?", (issuer, name))
            return
        self._run(
            "INSERT INTO role_groups VALUES (?, ?, ?)"
            " ON CONFLICT (issuer, name) DO UPDATE SET role = excluded.role",
            (issuer, name, role),
        )

    def put_link(self, digest: bytes, ends: int) -> None:
        """The one set-up link; an older one is no longer good."""
        with self.database.write() as connection:
            connection.execute("DELETE FROM setup_links")
            connection.execute("INSERT INTO setup_links VALUES (?, ?)", (digest, ends))

    def has_link(self, digest: bytes, now: int) -> bool:
        sql = "SELECT 1 FROM setup_links WHERE hash = ? AND ends > ?"
        return bool(self.database.read(sql, (digest, now)))

    def use_link(self, digest: bytes, now: int) -> bool:
        with self.database.write() as connection:
            connection.execute(
                "DELETE FROM setup_links WHERE hash = ? AND ends > ?", (digest, now)
            )
            return bool(connection.changes())

    def _run(self, sql: str, values: tuple[object, ...]) -> None:
        with self.database.write() as connection:
            connection.execute(sql, values)


def _first(rows: list[Row]) -> UserRow | None:
    return UserRow(*rows[0]) if rows else None
