"""Hedged calls: if the first target is late, a second one is asked too.

The first target gets a head start (`hedge_after_ms` of the model, or the 95th percentile of
what it took so far). If no content has come by then, the next target of the plan is asked as
well, as far as budgets, the key's policy and the deadline allow, and the first with a
content byte answers (race.py). Hedges are a bounded share of the calls.

Source of the idea: Dean and Barroso, The Tail at Scale, CACM 56(2), 2013.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from pihub.domain.ports import Waiter
from pihub.domain.quantile import p95
from pihub.domain.target import Target
from pihub.errors import (
    BudgetExceeded,
    ClientGone,
    ContextExceeded,
    PihubError,
    PriceUnknown,
    Unsupported,
    UpstreamError,
)
from pihub.gateway.care import RetryBudget
from pihub.gateway.exchange import Exchange
from pihub.gateway.race import FOREVER, Race, Racer
from pihub.shared.routing import Cell, Event, Speeds
from pihub.shared.state import SharedState

log = logging.getLogger("pihub.gateway")

ENOUGH = 20
"""Answers of a target from which on its 95th percentile is trusted."""
GOES_ON = (UpstreamError, Unsupported, ContextExceeded, BudgetExceeded)
"""After these a chain goes on; everything else ends the request."""


class Raced(NamedTuple):
    """`target` answered, or none did; `failed` in the order of the chain."""

    target: Target | None
    failed: tuple[tuple[Target, PihubError], ...]
    """Those that are not to be tried again; a call that was only left is."""


class Hedge:
    """One worker's. `local`: upstreams on this machine or network."""

    def __init__(
        self,
        waiter: Waiter,
        speeds: Speeds,
        state: SharedState,
        slot: int,
        local: frozenset[str],
        paid: Callable[[Target], bool],
        *,
        share: float,
    ) -> None:
        """`share`: of the calls that may be hedged, how many are."""
        self._waiter = waiter
        self._speeds = speeds
        self._state = state
        self._slot = slot
        self._local = local
        self._paid = paid
        self._share = share
        self._budget = RetryBudget(share)

    def wanted(self, x: Exchange, target: Target, rest: Sequence[Target]) -> bool:
        """Whether this call is to be watched. Once a request; never for `local-only`, for a
        conversation that is bound to its model, for an answer that is checked first, or for
        one that nobody waits for."""
        plan = x.plan
        return (
            plan is not None
            and plan.rules.hedged
            and self._share > 0
            and not plan.local_only
            and not x.hedge
            and not x.refreshes
            and not x.drafts
            and not x.pinned
            and x.request.begun is None
            and any(self._may_join(x, target, other) for other in rest)
        )

    def __call__(
        self,
        x: Exchange,
        target: Target,
        rest: Sequence[Target],
        call: Callable[[Exchange, Target], None],
        take: Callable[[Exchange, Target], None],
    ) -> Raced:
        """`call` is one target's whole call, `take` reserves its money.

        Raises what a call raises that ends the request, and ClientGone.
        """
        self._budget.called()
        race = self._begin(x, target, call)
        if race is None:
            call(x, target)
            return Raced(target, ())
        first, after = race.racers[0], self._after(x, target)
        try:
            if not race.wait(FOREVER if after is None else first.began + after):
                self._second(x, race, rest, call, take)
                race.wait(FOREVER)
        finally:
            race.end()
        self._learn(x, race)
        return self._outcome(x, race)

    def _begin(
        self, x: Exchange, target: Target, call: Callable[[Exchange, Target], None]
    ) -> Race | None:
        """The first call under way; None if there is no descriptor or thread left for it."""
        race = None
        try:
            race = Race(x, self._waiter, self._paid)
            first = Racer(race, x, target)
            race.enter(first, call)
        except (OSError, RuntimeError):
            if race is not None:
                race.end()
            return None
        first.x.hold, x.hold = x.hold, None
        return race

    def _second(
        self,
        x: Exchange,
        race: Race,
        rest: Sequence[Target],
        call: Callable[[Exchange, Target], None],
        take: Callable[[Exchange, Target], None],
    ) -> None:
        """Ask one more target, if one may be asked."""
        first = race.racers[0]
        if race.winner is not None:
            return  # it has begun, and only its end is waited for
        if not self._budget.take():
            self._count(Event.HEDGE_DENIED)
            return
        for other in rest:
            if not self._may_join(x, first.target, other) or self._late(x, other):
                continue
            try:
                racer = Racer(race, x, other)
            except OSError:
                break
            try:
                take(racer.x, other)
            except (BudgetExceeded, PriceUnknown):
                racer.drop()
                continue
            try:
                race.enter(racer, call)
            except RuntimeError:
                break
            x.hedge = f"hedged after {round((monotonic() - first.began) * 1000)} ms"
            self._count(Event.HEDGED)
            return
        self._budget.give_back()
        self._count(Event.HEDGE_REFUSED)

    def _may_join(self, x: Exchange, target: Target, other: Target) -> bool:
        """A local upstream never gets one request twice: it would wait for itself. Nor is it
        asked where its answers are checked before anyone sees them."""
        if other.upstream not in self._local:
            return True
        assert x.plan is not None
        return other.upstream != target.upstream and not x.plan.rules.verify

    def _late(self, x: Exchange, other: Target) -> bool:
        """It could not keep the deadline either."""
        plan = x.plan
        assert plan is not None
        if monotonic() > plan.until:
            return True
        predicted = plan.predicted_ms.get(other.name)
        if plan.deadline_ms is None or predicted is None:
            return False
        return (monotonic() - plan.began) * 1000 + predicted > plan.deadline_ms

    def _after(self, x: Exchange, target: Target) -> float | None:
        """Seconds of head start; None: for ever."""
        assert x.plan is not None
        rules = x.plan.rules
        if rules.hedge_ms is not None:
            return rules.hedge_ms / 1000
        known, samples = self._speeds.read(target, _cell(x))
        return known if samples >= ENOUGH else None

    def _learn(self, x: Exchange, race: Race) -> None:
        """How long the first content took; of a first target that was left, only that it
        took longer than it was given."""
        won, first = race.winner, race.racers[0]
        if won is None:
            return
        for one in race.racers:
            taken = won.first_at - one.began
            known, samples = self._speeds.read(one.target, _cell(x))
            late = one is first and taken > known and not isinstance(one.error, GOES_ON)
            if one is won or late:
                found = p95(known, samples, taken)
                self._speeds.put(one.target, _cell(x), found, min(samples + 1, 1 << 30))

    def _outcome(self, x: Exchange, race: Race) -> Raced:
        won, first = race.winner, race.racers[0]
        for one in race.racers:
            error = one.error
            # Of the others' errors only those count that leave the request without an answer.
            if error is not None and not isinstance(error, GOES_ON):
                if won in (None, one):
                    raise error
                if not isinstance(error, ClientGone):
                    log.warning("request %s: one of its calls: %r", x.request.rid_hex, error)
        failed = tuple(
            [(one.target, one.error) for one in race.racers if isinstance(one.error, GOES_ON)]
        )
        if won is None or won.error is not None:
            return Raced(None, failed)
        if x.hedge and x.plan is not None:
            x.plan.note = x.hedge
            if won is first:
                x.plan.note += ", the first was faster"
            else:
                self._count(Event.HEDGE_WON)
                x.hedge_won = not isinstance(first.error, GOES_ON)
                x.plan.note += f": {won.target.name} answered before {first.target.name}"
        # A hedge that failed beside an answer changed nothing for the request.
        return Raced(won.target, failed if won is not first else ())

    def _count(self, event: Event) -> None:
        self._state.routing.add(self._slot, event, 1)


def _cell(x: Exchange) -> Cell:
    return Cell.FIRST_P95 if x.streams else Cell.WHOLE_P95
