"""What keys, users, tenants and models may spend a day and a month, over all processes.

How to use it, in a worker (state.process_began() has been called there):

    budgets = Budgets(state.budgets, slot, state.arena.secret)
    rows, _ = budgets.counting(plan, key=7, tenant=1, model="claude-sonnet-4-5")
    hold = budgets.reserve(rows, most_nano, window)    # before the call
    if hold.refused: ...                               # (scope, "day" or "month"): nothing held
    if hold.soft: ...                                  # held; go down the chain, or ask
    budgets.settle(hold, cost_nano, window)            # once, with what it really cost

`settle` once for each Hold, also after an error (with what was received, or 0); a second
call does nothing. A worker that is killed needs no settling: the arbiter drops what it
held. What its streams had cost until then, the live streams table still tells
(shared.streams.LiveStreams.lost).

In the control process: `limit` sets the limits, `restore` what the ledger says was spent
(at start, and for reconciling: counter = ledger), `state` is what the page shows.

Money is in nano-USD, as in the whole hub, in integers: a microdollar is more than many an
answer costs. 48 bits a window: 281,474 USD. A window is a number of 16 bits that grows:
`Window.of` counts days and months since 1970 in the zone of the time it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from pihub._core.budget import MAX, Budget
from pihub._core.hashing import siphash128
from pihub.domain.budget import Plan

__all__ = ["MAX", "Budgets", "Hold", "Spent", "Window"]

SCOPES = ("key", "user", "tenant", "model", "hub")
WINDOWS = ("day", "month")
KNOWN = 4096
"""Rows whose place one process remembers: about 0.5 MiB at most."""


class Window(NamedTuple):
    """A day and a month, as numbers that grow."""

    day: int
    month: int

    @classmethod
    def of(cls, when: date | datetime) -> Window:
        """In the zone of `when`: the operator's, so that a day ends at midnight there."""
        return cls(when.toordinal() - _EPOCH, (when.year - 1970) * 12 + when.month - 1)


_EPOCH = date(1970, 1, 1).toordinal()


class Hold:
    """A reservation, until it is settled."""

    __slots__ = ("amount", "open", "refused", "rows", "soft")

    def __init__(
        self,
        rows: tuple[int, ...],
        amount: int,
        refused: tuple[str, str] | None,
        soft: tuple[str, str] | None,
    ) -> None:
        self.rows = rows
        self.amount = amount
        self.refused = refused
        """(scope, window) of the hard limit that has no room; nothing is held then."""
        self.soft = soft
        """(scope, window) of a soft limit that this goes beyond."""
        self.open = refused is None


class Spent(NamedTuple):
    """One row, in nano-USD; a limit of 0 is none."""

    day: int
    month: int
    reserved: int
    limit_day: int
    limit_month: int
    soft_day: int
    soft_month: int


class Rows(NamedTuple):
    """Which rows a request counts in; `scopes` names them in the same order."""

    rows: tuple[int, ...]
    scopes: tuple[str, ...]


class Budgets:
    """One process's view of the budgets."""

    def __init__(self, table: Budget, slot: int, secret: bytes) -> None:
        self._table = table
        self._slot = slot
        self._key = secret[16:32]
        self._known: dict[tuple[str, str], int] = {}

    def row(self, scope: str, name: str | int, *, claim: bool = True) -> int:
        """Number of the row; -1 if there is none (or, claiming, no room for one)."""
        at = (scope, str(name))
        row = self._known.get(at, -1)
        if row < 0:
            if scope not in SCOPES:
                raise ValueError(f"no scope {scope!r}, there are {', '.join(SCOPES)}")
            ident = siphash128(self._key, f"{scope}:{name}".encode())[0] or 1
            row = self._table.find(ident, claim)
            if row >= 0:
                if len(self._known) >= KNOWN:
                    self._known.clear()
                self._known[at] = row
        return row

    def of(self, names: Iterable[tuple[str, str | int]]) -> Rows:
        """Rows of (scope, name) pairs, at most 8; the hub itself is ("hub", "")."""
        rows, scopes = [], []
        for scope, name in names:
            if (row := self.row(scope, name)) >= 0:
                rows.append(row)
                scopes.append(scope)
        return Rows(tuple(rows), tuple(scopes))

    def counting(self, plan: Plan, *, key: int, tenant: int, model: str) -> tuple[Rows, list[str]]:
        """The rows in which a request counts, and their labels (`scope:name`)."""
        labels = plan.labels(key=key, tenant=tenant, model=model)
        return self.of((one.partition(":")[0], one.partition(":")[2]) for one in labels), labels

    def spend(
        self, plan: Plan, cost: int, window: Window, *, key: int, tenant: int, model: str
    ) -> None:
        """What was paid without a reservation; -1 (unknown) counts as 0."""
        if cost > 0 and plan.modes:
            rows, _ = self.counting(plan, key=key, tenant=tenant, model=model)
            if rows.rows:
                self.correct(rows, cost, window)

    def reserve(self, rows: Rows, amount: int, window: Window, *, force: bool = False) -> Hold:
        """All rows or none. `force`: hard limits do not refuse (an approved request)."""
        amount = min(max(amount, 0), MAX)
        said = self._table.reserve(
            self._slot, rows.rows, amount, window.day, window.month, force
        )
        where = (rows.scopes[(abs(said) - 1) // 2], WINDOWS[(abs(said) - 1) % 2]) if said else None
        return Hold(
            rows.rows, amount, where if said > 0 else None, where if said < 0 else None
        )

    def settle(self, hold: Hold, actual: int, window: Window) -> None:
        """`window` of the time of settling; -1 (cost unknown) counts as 0."""
        if hold.open:
            hold.open = False
            actual = min(max(actual, 0), MAX)
            self._table.settle(
                self._slot, hold.rows, hold.amount, actual, window.day, window.month
            )

    def correct(self, rows: Rows, delta: int, window: Window) -> None:
        """A signed correction of what was settled earlier."""
        self._table.settle(self._slot, rows.rows, 0, delta, window.day, window.month)

    # ---- the control process --------------------------------------------------------

    def limit(
        self,
        scope: str,
        name: str | int,
        *,
        day: int = 0,
        month: int = 0,
        soft_day: int = 0,
        soft_month: int = 0,
    ) -> bool:
        """Set a row's limits, 0: none. False: the table is full, and nothing would hold."""
        row = self.row(scope, name)
        if row < 0:
            return False
        self._table.limit(row, *(min(n, MAX) for n in (day, month, soft_day, soft_month)))
        return True

    def restore(
        self, scope: str, name: str | int, window: Window, day: int, month: int
    ) -> tuple[int, int]:
        """Make the counters what the ledger says; returns by how much they were off.

        What is settled between reading the ledger and this call is kept only if the
        caller reads the ledger again: call it before the workers serve, or compare twice.
        """
        row = self.row(scope, name)
        if row < 0:
            return (0, 0)
        now = self._table.state(row, *window)
        off = (day - now[0], month - now[1])
        self._table.spend(row, window.day, off[0], window.month, off[1])
        return off

    def state(self, scope: str, name: str | int, window: Window) -> Spent | None:
        """What the page shows; None for a row that does not exist."""
        row = self.row(scope, name, claim=False)
        return None if row < 0 else Spent(*self._table.state(row, *window))

    def states(
        self, scope: str, names: Iterable[str | int], window: Window
    ) -> dict[str | int, Spent]:
        """Those of `names` that have a row."""
        found = {name: self.state(scope, name, window) for name in names}
        return {name: one for name, one in found.items() if one is not None}
