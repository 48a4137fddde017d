"""API keys: made once, shown once, kept as hashes, in force at once in every worker."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pihub.errors import BadRequest, Conflict, NotFound, Overloaded
from pihub.security import scope as scopes
from pihub.security.actor import Actor
from pihub.security.pepper import load_pepper
from pihub.security.publish import Publisher
from pihub.security.scope import Scope
from pihub.security.token import hint, new_token, well_formed
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.shared.scopes import Rule, in_networks
from pihub.shared.state import KEYS, TENANTS
from pihub.shared.tokenhash import token_hash
from pihub.store.keys import CONTROL_DB, KeyDatabase
from pihub.store.rows import KeyRow, KeyStore, NewKey, TenantRow

_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
NAME_CHARS = 64
MAX_LIFE = 10 * 366 * 86400
MAX_OVERLAP = 90 * 86400
HOUSE = "default"
"""The tenant of the house itself: its admin keys see all tenants."""
HIGHEST = KEYS - 1
"""A key's number is its row in the shared limiter; row 0 belongs to nobody."""


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
        self._admins: dict[tuple[int, int], KeyRow] = {}

    def load(self) -> int:
        """Publish all live keys, at the start of the control process; how many.

        Keys revoked since an earlier publication go out of force.
        """
        with self._lock:
            return self._load()

    def _load(self) -> int:
        self._version = self._store.version()
        live = [key for key in self._store.list() if self.is_live(key)]
        self._admins = {key.hash: key for key in live if scopes.load(key.scope).admin}
        if self._publisher is None:
            return 0
        self._publisher.pepper(self._pepper)
        count = self._publisher.only(live, self._store.tenants())
        self._publisher.done()
        return count

    def refresh(self) -> bool:
        """Load again if another process (`pihub keys`) changed the keys; whether it did."""
        if self._store.version() == self._version:
            return False
        self.load()
        return True

    def create(
        self,
        tenant: str,
        name: str,
        lifetime: int | None = None,
        scope: Scope | None = None,
        user: int = 0,
    ) -> NewlyMade:
        """`lifetime` in seconds, None: for ever. Raises BadRequest, Overloaded."""
        _require_tenant(tenant)
        if lifetime is not None and not 0 < lifetime <= MAX_LIFE:
            raise BadRequest("expires_in is 1 second to 10 years", param="expires_in")
        text = scopes.dump(scopes.checked(scope or Scope()))
        with self._lock:
            self._room_for(tenant)
            return self._create(tenant, _named(name), lifetime, text, user)

    def _create(
        self, tenant: str, name: str, lifetime: int | None, text: str, user: int
    ) -> NewlyMade:
        now = int(self._clock())
        token = new_token()
        key = self._store.add(
            NewKey(
                tenant,
                name,
                token_hash(self._pepper, token),
                hint(token),
                now,
                0 if lifetime is None else now + lifetime,
                user,
                text,
            ),
            HIGHEST,
        )
        if key is None:
            raise Overloaded(f"all {HIGHEST} key numbers have been given out")
        self._in_force(key, now)
        return NewlyMade(key, token)

    def _in_force(self, key: KeyRow, now: int) -> None:
        try:
            if self._publisher is not None and not self._publisher.put(key):
                raise Overloaded("the table of live keys is full: revoke some first")
        except Overloaded:
            self._store.revoke(key.id, now)
            raise
        if scopes.load(key.scope).admin:
            self._admins[key.hash] = key

    def list(self) -> list[KeyRow]:
        """All keys, revoked ones too, oldest first."""
        return self._store.list()

    def get(self, number: int, tenant: int | None = None) -> KeyRow:
        """`tenant`: the only one whose key it may be. Raises NotFound."""
        for key in self._store.list():
            if key.id == number and tenant in (None, key.tenant):
                return key
        raise NotFound(f"there is no key {number}")

    def revoke(self, number: int) -> KeyRow:
        """Out of force when this returns; idempotent. Raises NotFound."""
        with self._lock:
            key = _known(self._store.revoke(number, int(self._clock())), number)
            self._out_of_force(key)
            return key

    def expire(self, number: int, at: int) -> KeyRow:
        """Let a key end at a unix second (0: never). Raises NotFound."""
        if at < 0:
            raise BadRequest("an expiry is a unix time", param="expires")
        with self._lock:
            key = _known(self._store.expire(number, at), number)
            self._renewed(key)
            return key

    def change(self, number: int, name: str, scope: Scope) -> KeyRow:
        """Another name and scope, in force when this returns. Raises BadRequest, NotFound."""
        text = scopes.dump(scopes.checked(scope))
        with self._lock:
            key = _known(self._store.rescope(number, _named(name), text), number)
            self._renewed(key)
            return key

    def rotate(self, number: int, overlap: int) -> NewlyMade:
        """A new key of the same scope; the old one lives on for `overlap` seconds.

        Raises BadRequest, Conflict, NotFound, Overloaded.
        """
        if not 0 <= overlap <= MAX_OVERLAP:
            raise BadRequest("overlap is at most 90 days", param="overlap")
        old = self.get(number)
        if not self.is_live(old) or old.successor:
            raise Conflict(f"key {number} is no longer live, or was rotated already")
        with self._lock:
            now = int(self._clock())
            left = old.expires - old.created if old.expires else None
            made = self._create(old.tenant_name, old.name, left, old.scope, old.user)
            self._renewed(_known(self._store.succeed(number, made.key.id, now + overlap), number))
            return made

    def admin(self, token: str, address: str) -> Actor | None:
        """Who an admin key acts for; None: it is none, has ended, or not from there."""
        key = self._admins.get(token_hash(self._pepper, token)) if well_formed(token) else None
        if key is None or not self.is_live(key):
            return None
        scope = scopes.load(key.scope)
        if not in_networks(Rule(None, None, tuple(scope.networks)), address):
            return None
        tenant = next((one for one in self._store.tenants() if one.id == key.tenant), None)
        if tenant is None or tenant.disabled:
            return None
        # Keys of the tenant `default` belong to the house, all others see their own tenant.
        own = None if key.tenant_name == HOUSE else key.tenant
        return Actor("key", f"{key.id} {key.name}", frozenset(scope.admin), own, address, key.id)

    def used(self, keys: Iterable[tuple[int, int]]) -> None:
        """(number, unix second)"""
        self._store.used(keys)

    # ---- tenants ---------------------------------------------------------------

    def tenants(self) -> Sequence[TenantRow]:
        return self._store.tenants()

    def tenant(self, number: int) -> TenantRow:
        """Raises NotFound."""
        for one in self._store.tenants():
            if one.id == number:
                return one
        raise NotFound(f"there is no tenant {number}")

    def create_tenant(self, name: str) -> TenantRow:
        """Raises BadRequest, Conflict, Overloaded."""
        _require_tenant(name)
        with self._lock:
            self._room_for(name)
            if not self._store.add_tenant(name, int(self._clock())):
                raise Conflict(f"there is a tenant {name!r} already")
        return next(one for one in self._store.tenants() if one.name == name)

    def change_tenant(self, tenant: TenantRow) -> TenantRow:
        """In force for all its keys when this returns. Raises NotFound."""
        self.tenant(tenant.id)
        with self._lock:
            self._store.change_tenant(tenant)
            self._load()
        return self.tenant(tenant.id)

    def close(self) -> None:
        self._store.close()

    def _room_for(self, tenant: str) -> None:
        known = self._store.tenants()
        if len(known) >= TENANTS - 1 and all(one.name != tenant for one in known):
            raise Overloaded(f"all {TENANTS - 1} tenant numbers have been given out")

    def _renewed(self, key: KeyRow) -> None:
        if not self.is_live(key):
            self._out_of_force(key)
            return
        self._admins.pop(key.hash, None)
        if scopes.load(key.scope).admin:
            self._admins[key.hash] = key
        if self._publisher is not None:
            self._publisher.put(key)

    def _out_of_force(self, key: KeyRow) -> None:
        self._admins.pop(key.hash, None)
        if self._publisher is not None:
            self._publisher.remove(key)

    def is_live(self, key: KeyRow) -> bool:
        """Neither revoked nor expired."""
        return not key.revoked and (not key.expires or key.expires > self._clock())


def _known(key: KeyRow | None, number: int) -> KeyRow:
    if key is None:
        raise NotFound(f"there is no key {number}")
    return key


def _require_tenant(name: str) -> None:
    if not _TENANT.fullmatch(name):
        raise BadRequest(
            "a tenant is up to 63 of a-z 0-9 . _ - and begins with a letter or digit",
            param="tenant",
        )


def _named(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARS or not name.isprintable():
        raise BadRequest(f"a name is 1 to {NAME_CHARS} printable characters", param="name")
    return name


def open_keys(settings: Settings, publisher: Publisher | None = None) -> KeyService:
    """The key service on the hub's own files; the command line may use it beside a hub.

    Raises StartupError.
    """
    folder = database(settings).parent
    pepper = load_pepper(folder)
    return KeyService(KeyDatabase(folder / CONTROL_DB), pepper, publisher)
