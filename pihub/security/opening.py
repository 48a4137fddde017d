"""The services on the control database, as the control process and `pihub admin` use them."""

from __future__ import annotations

from dataclasses import dataclass

from pihub.security.accounts import Accounts
from pihub.security.audit import AuditLog
from pihub.security.keys import KeyService
from pihub.security.lockout import Lockout
from pihub.security.pepper import derived, load_pepper
from pihub.security.publish import Publisher
from pihub.security.sessions import Sessions
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.store.audit import AuditStore
from pihub.store.keys import CONTROL_DB, KeyDatabase
from pihub.store.people import People
from pihub.store.sqlite import Database


@dataclass(frozen=True, slots=True)
class Control:
    """One database, four services."""

    keys: KeyService
    accounts: Accounts
    sessions: Sessions
    audit: AuditLog
    database: Database
    cursors: bytes
    """The secret that signs cursors."""
    reports: bytes
    """The secret that signs egress reports."""

    def key_users(self) -> dict[int, str]:
        """The names of users by the numbers of their keys."""
        names = {user.id: user.subject for user in self.accounts.people.users()}
        return {key.id: names[key.user] for key in self.keys.list() if key.user in names}

    def close(self) -> None:
        self.keys.close()


def open_control(
    settings: Settings, publisher: Publisher | None = None, lockout: Lockout | None = None
) -> Control:
    """`lockout`: the hub's, whose counters outlive the process. Raises StartupError."""
    folder = database(settings).parent
    pepper = load_pepper(folder)
    store = KeyDatabase(folder / CONTROL_DB)
    accounts = Accounts(
        People(store.database), derived(pepper, "accounts"), lockout=lockout
    )
    accounts.seal_all()
    return Control(
        KeyService(store, pepper, publisher),
        accounts,
        Sessions(
            accounts,
            derived(pepper, "sessions"),
            idle=settings.access.session_idle,
            length=settings.access.session_length,
        ),
        AuditLog(AuditStore(store.database), derived(pepper, "audit")),
        store.database,
        derived(pepper, "cursors"),
        derived(pepper, "egress"),
    )
