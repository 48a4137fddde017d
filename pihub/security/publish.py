"""Live keys into the arena: hash, rate limit, scope, the tenant's quota."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from pihub.errors import Overloaded, StartupError
from pihub.security import scope
from pihub.settings.limits import Limits
from pihub.shared import scopes
from pihub.store.rows import KeyRow, TenantRow

MINUTE_NS = 60_000_000_000


class Table(Protocol):
    """The shared key table (`_core.keytable.KeyTable`)."""

    def set_pepper(self, pepper: bytes) -> None: ...
    def put(self, h: tuple[int, int], key: int, tenant: int, flags: int, expires: int) -> bool: ...
    def remove(self, h: tuple[int, int]) -> bool: ...
    def hashes(self) -> list[tuple[int, int]]: ...
    def publish(self) -> int: ...


class Rows(Protocol):
    """A shared limiter (`_core.limiter.Limiter`)."""

    @property
    def n_rows(self) -> int: ...
    def configure(self, row: int, interval_ns: int, burst: int) -> None: ...


class Publisher:
    """Puts live keys where the workers look, with their rate limit."""

    def __init__(
        self,
        table: Table,
        rows: Rows,
        limits: Limits,
        board: scopes.Published | None = None,
        quotas: Rows | None = None,
        watches: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """`watches`: whether the prompts of a key are judged: then the edge may not answer."""
        self._watches = watches
        self._table = table
        self._rows = rows
        self._board = board
        self._quotas = quotas
        self._interval = MINUTE_NS // limits.requests_per_minute
        self._burst = limits.burst
        self._rules: dict[int, scopes.Rule] = {}
        self._tenants: dict[int, TenantRow] = {}

    def pepper(self, pepper: bytes) -> None:
        """Raises StartupError if the running hub hashes with another one."""
        try:
            self._table.set_pepper(pepper)
        except ValueError as error:
            raise StartupError(f"{error}: restart the hub, it runs on another pepper") from None

    def only(self, live: Iterable[KeyRow], tenants: Iterable[TenantRow] = ()) -> int:
        """These keys and no others are in force; how many found room."""
        self._tenants = {one.id: one for one in tenants}
        for one in self._tenants.values():
            self._quota(one)
        wanted = {key.hash: key for key in live if self._may(key)}
        for known in self._table.hashes():
            if known not in wanted:
                self._table.remove(known)
        rules = {key.id: self._rule(key) for key in wanted.values()}
        self._publish({number: rule for number, rule in rules.items() if rule is not None})
        return sum(self._put(key) for key in wanted.values())

    def put(self, key: KeyRow) -> bool:
        """False if the table of live keys is full. Raises Overloaded for the rules'."""
        if not self._may(key):
            self.remove(key)
            return True
        rule, known = self._rule(key), self._rules.get(key.id)
        if rule is not None and rule != known:
            self._publish({**self._rules, key.id: rule})
        return self._put(key)

    def remove(self, key: KeyRow) -> None:
        self._table.remove(key.hash)

    def done(self) -> None:
        """From now on an unknown key is a wrong one, not one that is still loading."""
        self._table.publish()

    def _put(self, key: KeyRow) -> bool:
        # The limit first: no request may pass with another key's.
        self._rows.configure(key.id, self._interval, self._burst)
        tenant = self._tenants.get(key.tenant)
        quota = tenant is not None and tenant.requests_per_minute > 0
        flags = key.flags | scope.flags_of(self._rule(key), quota=quota)
        return self._table.put(key.hash, key.id, key.tenant, flags, key.expires)

    def _may(self, key: KeyRow) -> bool:
        tenant = self._tenants.get(key.tenant)
        return tenant is None or not tenant.disabled

    def _rule(self, key: KeyRow) -> scopes.Rule | None:
        tenant = self._tenants.get(key.tenant)
        limits = (None, None) if tenant is None else (tenant.models, tenant.apis)
        found = scope.rule(scope.load(key.scope), *limits)
        return scopes.FREE if found is None and self._watches(key.id) else found

    def _publish(self, rules: dict[int, scopes.Rule]) -> None:
        if self._board is None or rules == self._rules:
            self._rules = rules
            return
        data = scopes.encode(rules)
        if len(data) > self._board.capacity:
            raise Overloaded("the table of restricted keys is full: give them equal scopes")
        self._board.publish(data)
        self._rules = rules

    def _quota(self, tenant: TenantRow) -> None:
        if self._quotas is None or tenant.id >= self._quotas.n_rows:
            return
        rate = tenant.requests_per_minute
        self._quotas.configure(
            tenant.id, MINUTE_NS // rate if rate else 0, max(1, rate // 10) if rate else 1
        )
