"""API keys: made once, shown once, kept as hashes, in force at once in every worker."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from pihub.errors import BadRequest, NotFound, Overloaded, StartupError
from pihub.security.pepper import load_pepper
from pihub.security.token import hint, new_token
from pihub.settings.paths import database
from pihub.settings.schema import Limits, Settings
from pihub.shared.state import KEYS
from pihub.shared.tokenhash import token_hash
from pihub.store.keys import CONTROL_DB, KeyDatabase
from pihub.store.rows import KeyRow, KeyStore, NewKey

_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
NAME_CHARS = 64
MAX_LIFE = 10 * 366 * 86400
HIGHEST = KEYS - 1
"""A key's number is its row in the shared limiter; row 0 belongs to nobody."""
MINUTE_NS = 60_000_000_000


class Table(Protocol):
    """The shared key table (`_core.keytable.KeyTable`)."""

    def set_pepper(self, pepper: bytes) -> None: ...
    def put(self, h: tuple[int, int], key: int, tenant: int, flags: int, expires: int) -> bool: ...
    def remove(self, h: tuple[int, int]) -> bool: ...
    def hashes(self) -> list[tuple[int, int]]: ...
    def publish(self) -> int: ...


class Rows(Protocol):
    """The shared limiter (`_core.limiter.Limiter`)."""

    def configure(self, row: int, interval_ns: int, burst: int) -> None: ...


class Publisher:
    """Puts live keys where the workers look, with their rate limit."""

    def __init__(self, table: Table, rows: Rows, limits: Limits) -> None:
        self._table = table
        self._rows = rows
        self._interval = MINUTE_NS // limits.requests_per_minute
        self._burst = limits.burst

    def pepper(self, pepper: bytes) -> None:
        """Raises StartupError if the running hub hashes with another one."""
        try:
            self._table.set_pepper(pepper)
        except ValueError as error:
            raise StartupError(f"{error}: restart the hub, it runs on another pepper") from None

    def only(self, live: Iterable[KeyRow]) -> int:
        """These keys and no others are in force; how many found room."""
        wanted = {key.hash: key for key in live}
        for known in self._table.hashes():
            if known not in wanted:
                self._table.remove(known)
        return sum(self.put(key) for key in wanted.values())

    def put(self, key: KeyRow) -> bool:
        # The limit first: no request may pass with another key's.
        self._rows.configure(key.id, self._interval, self._burst)
        return self._table.put(key.hash, key.id, key.tenant, key.flags, key.expires)

    def remove(self, key: KeyRow) -> None:
        self._table.remove(key.hash)

    def done(self) -> None:
        """From now on an unknown key is a wrong one, not one that is still loading."""
        self._table.publish()


class NewlyMade(NamedTuple):
    """A key and its token, which is never to be seen again."""

    key: KeyRow
    token: str


class KeyService:
    """Every change is on disk before it is told, and then in force at once.

    Without a publisher (the command line beside a stopped hub) only the disk changes.
    """

    def __init__(
        self,
        store: KeyStore,
        pepper: bytes,
        publisher: Publisher | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._pepper = pepper
        self._publisher = publisher
        self._clock = clock
        self._lock = threading.Lock()
        self._version = -1

    def load(self) -> int:
        """Publish all live keys, at the start of the control process; how many.

        Keys revoked since an earlier publication go out of force.
        """
        if self._publisher is None:
            return 0
        with self._lock:
            self._publisher.pepper(self._pepper)
            self._version = self._store.version()
            count = self._publisher.only(key for key in self._store.list() if self._live(key))
            self._publisher.done()
            return count

    def refresh(self) -> bool:
        """Load again if another process (`pihub keys`) changed the keys; whether it did."""
        if self._store.version() == self._version:
            return False
        self.load()
        return True

    def create(self, tenant: str, name: str, lifetime: int | None = None) -> NewlyMade:
        """`lifetime` in seconds, None: for ever. Raises BadRequest, Overloaded."""
        if not _TENANT.fullmatch(tenant):
            raise BadRequest(
                "a tenant is up to 63 of a-z 0-9 . _ - and begins with a letter or digit",
                param="tenant",
            )
        name = name.strip()
        if not 0 < len(name) <= NAME_CHARS or not name.isprintable():
            raise BadRequest(f"a name is 1 to {NAME_CHARS} printable characters", param="name")
        if lifetime is not None and not 0 < lifetime <= MAX_LIFE:
            raise BadRequest("expires_in is 1 second to 10 years", param="expires_in")
        now = int(self._clock())
        token = new_token()
        with self._lock:
            key = self._store.add(
                NewKey(
                    tenant,
                    name,
                    token_hash(self._pepper, token),
                    hint(token),
                    now,
                    0 if lifetime is None else now + lifetime,
                ),
                HIGHEST,
            )
            if key is None:
                raise Overloaded(f"all {HIGHEST} key numbers have been given out")
            if self._publisher is not None and not self._publisher.put(key):
                self._store.revoke(key.id, now)
                raise Overloaded("the table of live keys is full: revoke some first")
        return NewlyMade(key, token)

    def list(self) -> list[KeyRow]:
        """All keys, revoked ones too, oldest first."""
        return self._store.list()

    def revoke(self, number: int) -> KeyRow:
        """Out of force when this returns; idempotent. Raises NotFound."""
        with self._lock:
            key = self._store.revoke(number, int(self._clock()))
            if key is None:
                raise NotFound(f"there is no key {number}")
            if self._publisher is not None:
                self._publisher.remove(key)
            return key

    def expire(self, number: int, at: int) -> KeyRow:
        """Let a key end at a unix second (0: never). Raises NotFound."""
        if at < 0:
            raise BadRequest("an expiry is a unix time", param="expires")
        with self._lock:
            key = self._store.expire(number, at)
            if key is None:
                raise NotFound(f"there is no key {number}")
            if self._publisher is not None:
                if self._live(key):
                    self._publisher.put(key)
                else:
                    self._publisher.remove(key)
            return key

    def close(self) -> None:
        self._store.close()

    def _live(self, key: KeyRow) -> bool:
        return not key.revoked and (not key.expires or key.expires > self._clock())


def open_keys(settings: Settings, publisher: Publisher | None = None) -> KeyService:
    """The key service on the hub's own files; the command line may use it beside a hub.

    Raises StartupError.
    """
    folder = database(settings).parent
    pepper = load_pepper(folder)
    return KeyService(KeyDatabase(folder / CONTROL_DB), pepper, publisher)
