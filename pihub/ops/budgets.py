"""Budgets in force: limits into the arena, the plan to the workers, counters by the ledger.

The counters in the arena decide; the ledger (the recorder's roll-ups) is the truth. At the
start of an arena the counters are what the ledger says. While the hub runs both move on
their own, the ledger about a second later; `reconcile` compares them when nothing is
under way, and corrects what differs, which should be nothing: each correction is logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from pihub.domain.budget import Budget, Plan
from pihub.errors import BadRequest, NotFound
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.shared.budgets import Budgets, Spent, Window
from pihub.shared.spending import Published, publish
from pihub.shared.state import SharedState
from pihub.store.budgets import BudgetDatabase, BudgetRow, Ledger, Period
from pihub.store.keys import CONTROL_DB
from pihub.store.sqlite import Database, StoreFault

log = logging.getLogger("pihub.budgets")

NANO = 10**9
CHECK_EVERY = 300.0
"""Seconds between looks whether counters and ledger agree."""
HUB = 0
"""The number of the hub's own budget, which stands in the configuration."""


OWN = "the hub's own budget is [money] in the configuration: change it there"


Word = Literal["free", "near", "spent"]


class BudgetState(NamedTuple):
    """A budget as the page shows it; money in nano-USD."""

    id: int
    budget: Budget
    spent_day: int
    spent_month: int
    reserved: int
    extra_day: int
    """Approved beyond the limit, for today."""
    extra_month: int

    @property
    def state(self) -> Word:
        """By the limit that is nearer; `near`: beyond the budget's soft percentage."""
        part = max(
            (
                spent / (limit + extra)
                for spent, limit, extra in (
                    (self.spent_day, self.budget.day_nano, self.extra_day),
                    (self.spent_month, self.budget.month_nano, self.extra_month),
                )
                if limit
            ),
            default=0.0,
        )
        if part >= 1:
            return "spent"
        return "near" if part >= self.budget.soft_percent / 100 else "free"


class BudgetService:
    """The only writer of limits. Thread-safe."""

    def __init__(
        self,
        rows: BudgetDatabase,
        ledger: Ledger,
        counters: Budgets,
        board: Published,
        *,
        hub: Budget | None,
        block_unknown: bool,
        key_users: Callable[[], Mapping[int, str]],
        behind: Callable[[], int],
    ) -> None:
        self._rows = rows
        self._ledger = ledger
        self._counters = counters
        self._board = board
        self._hub = hub
        self._block_unknown = block_unknown
        self._key_users = key_users
        self._behind = behind
        self._lock = threading.Lock()
        self._window = Window(0, 0)
        self.corrections = 0
        """Counters that differed from the ledger, since this process started."""

    def start(self, *, fresh: bool) -> None:
        """`fresh`: the arena is new, its counters are empty. Raises StoreFault."""
        with self._lock:
            if fresh:
                for row in self._all():
                    self._restore(row.budget)
            self._apply()

    def states(self) -> list[BudgetState]:
        with self._lock:
            window = window_now()
            return [self._state(row, window) for row in self._all()]

    def one(self, number: int) -> BudgetState:
        """Raises NotFound."""
        found = next((state for state in self.states() if state.id == number), None)
        if found is None:
            raise NotFound(f"there is no budget {number}")
        return found

    def put(self, budget: Budget) -> BudgetState:
        """Make or replace the budget of a scope and name. Raises BadRequest."""
        if budget.scope == "hub":
            raise BadRequest(OWN)
        if not budget.day_nano and not budget.month_nano:
            raise BadRequest("a budget needs a limit a day or a month, above 0")
        with self._lock:
            known = {row.budget.label for row in self._rows.list()}
            row = self._rows.put(budget)
            if budget.label not in known:
                self._restore(budget)
            self._apply()
            return self._state(row, window_now())

    def delete(self, number: int) -> None:
        """Raises NotFound and BadRequest."""
        with self._lock:
            row = self._find(number)
            if number == HUB:
                raise BadRequest(OWN)
            self._rows.delete(number)
            self._counters.limit(row.budget.scope, row.budget.name)
            self._apply()

    def approve(self, number: int, period: Period, nano: int, by: str) -> BudgetState:
        """Let `nano` more be spent in this day or month. Raises NotFound and BadRequest."""
        if number == HUB:
            raise BadRequest(OWN)
        if nano <= 0:
            raise BadRequest("the amount must be above 0")
        with self._lock:
            row = self._find(number)
            window = window_now()
            self._rows.approve(number, period, getattr(window, period), nano, by)
            self._apply()
            return self._state(row, window)

    def run(self, stop: threading.Event, also: Callable[[], None]) -> None:
        """A thread: extras end with their day, counters are compared with the ledger.

        `also` is called once a second (see lost_streams.py).
        """
        due = time.monotonic() + 10.0
        while not stop.wait(1.0):
            try:
                also()
                if window_now() != self._window:
                    with self._lock:
                        self._apply()
                if time.monotonic() >= due:
                    due = time.monotonic() + CHECK_EVERY
                    self.reconcile()
            except StoreFault as error:
                log.warning("budgets cannot be read: %s", error)

    def reconcile(self) -> int:
        """Compare counters and ledger where nothing moves; returns how many were corrected."""
        found = 0
        with self._lock:
            for row in self._all():
                window = window_now()
                before = self._quiet(row, window)
                if before is None:
                    continue
                day, month = self._spent(row.budget)
                after = self._quiet(row, window)
                if after != before or (day, month) == before or window_now() != window:
                    continue
                self._counters.restore(row.budget.scope, row.budget.name, window, day, month)
                self.corrections += 1
                found += 1
                log.warning(
                    "the counter of budget %s was %d/%d nano-USD, the ledger says %d/%d",
                    row.budget.label, *before, day, month,
                )  # fmt: skip
        return found

    def close(self) -> None:
        self._rows.close()

    # ---- inside the lock --------------------------------------------------------------

    def _all(self) -> list[BudgetRow]:
        own = [] if self._hub is None else [BudgetRow(HUB, self._hub, 0)]
        return [*own, *self._rows.list()]

    def _find(self, number: int) -> BudgetRow:
        found = next((row for row in self._all() if row.id == number), None)
        if found is None:
            raise NotFound(f"there is no budget {number}")
        return found

    def _quiet(self, row: BudgetRow, window: Window) -> tuple[int, int] | None:
        """The counters, if nothing is reserved and every record is stored."""
        spent = self._counters.state(row.budget.scope, row.budget.name, window)
        if spent is None or spent.reserved or self._behind():
            return None
        return spent.day, spent.month

    def _restore(self, budget: Budget) -> None:
        window = window_now()
        self._counters.restore(budget.scope, budget.name, window, *self._spent(budget))

    def _spent(self, budget: Budget) -> tuple[int, int]:
        names = [budget.name] if budget.name else []
        if budget.scope == "user":
            names = [str(key) for key, user in self._key_users().items() if user == budget.name]
        now = datetime.now()  # noqa: DTZ005 - the owner's midnight
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight.replace(day=1)
        day, month = (
            self._ledger.spent(budget.scope, names, int(since.timestamp()))
            for since in (midnight, first)
        )
        return day, month

    def _apply(self) -> None:
        window = self._window = window_now()
        rows = self._all()
        users = {row.budget.name for row in rows if row.budget.scope == "user"}
        for row in rows:
            budget = row.budget
            day, month = budget.day_nano, budget.month_nano
            if row.id != HUB:
                # A limit of 0 is none, and stays none.
                day += self._rows.approved(row.id, "day", window.day) if day else 0
                month += self._rows.approved(row.id, "month", window.month) if month else 0
            soft = budget.soft_percent if budget.at_limit == "downgrade" else 0
            self._counters.limit(
                budget.scope,
                budget.name,
                day=day,
                month=month,
                soft_day=day * soft // 100,
                soft_month=month * soft // 100,
            )
        publish(
            self._board,
            Plan(
                {row.budget.label: row.budget.at_limit for row in rows},
                {key: user for key, user in self._key_users().items() if user in users},
                self._block_unknown,
            ),
        )

    def _state(self, row: BudgetRow, window: Window) -> BudgetState:
        spent = self._counters.state(row.budget.scope, row.budget.name, window)
        day, month, reserved = (0, 0, 0) if spent is None else _sums(spent)
        return BudgetState(
            row.id,
            row.budget,
            day,
            month,
            reserved,
            self._rows.approved(row.id, "day", window.day),
            self._rows.approved(row.id, "month", window.month),
        )


def window_now() -> Window:
    """Today and this month, in the hub's own zone."""
    return Window.of(datetime.now())  # noqa: DTZ005 - the owner's midnight


def _sums(spent: Spent) -> tuple[int, int, int]:
    return spent.day, spent.month, spent.reserved


def open_budgets(
    settings: Settings,
    state: SharedState,
    slot: int,
    metrics: Database,
    behind: Callable[[], int],
    key_users: Callable[[], Mapping[int, str]] = dict,
) -> BudgetService:
    """The service on the control database. Raises StartupError and StoreFault."""
    money = settings.money
    hub = Budget(
        scope="hub",
        name="",
        day_nano=round(money.per_day_usd * NANO),
        month_nano=round(money.per_month_usd * NANO),
        at_limit=money.at_limit,
    )
    service = BudgetService(
        BudgetDatabase(database(settings).parent / CONTROL_DB),
        Ledger(metrics),
        Budgets(state.budgets, slot, state.arena.secret),
        state.spending,
        hub=hub if hub.day_nano or hub.month_nano else None,
        block_unknown=money.unknown_price == "block",
        key_users=key_users,
        behind=behind,
    )
    service.start(fresh=not state.budgets.used())
    return service
