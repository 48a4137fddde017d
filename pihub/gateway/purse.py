"""What a request may spend: reserved before a paid call, settled with what it really cost.

Free targets need no reservation. The reservation is what the request may cost at most
(its prompt, and the whole answer that it allows), so that requests in flight together
cannot go beyond a hard limit.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Protocol

from pihub.domain.chat import Usage
from pihub.domain.pricing import Price, cost
from pihub.domain.target import Target
from pihub.errors import BudgetExceeded, PriceUnknown
from pihub.gateway.exchange import Exchange
from pihub.gateway.explain import nano_text
from pihub.shared.budgets import Budgets, Window
from pihub.shared.spending import PlanReader

CHARS_PER_TOKEN = 3
"""Of a prompt, for reserving: rather too many tokens than too few."""
ANSWER_TOKENS = 8192
"""Reserved where neither the client nor the configuration limits the answer."""


class Prices(Protocol):
    """The price table."""

    def find(self, kind: str, model: str) -> Price | None: ...


class Purse:
    """One worker's hands on the budgets."""

    def __init__(self, budgets: Budgets, plan: PlanReader, prices: Prices) -> None:
        self._budgets = budgets
        self._plan = plan
        self._prices = prices
        self._window = Window(0, 0)
        self._until = 0.0

    def open_for(self, target: Target) -> bool:
        """Nothing is asked of this target's calls, whoever makes them: no budget, or free."""
        plan = self._plan()
        if not plan.modes and not plan.block_unknown:
            return True
        price = self._prices.find(target.kind, target.model)
        return price is not None and price.free

    def take(self, x: Exchange, target: Target) -> None:
        """Reserve for a call of `target`; what an earlier target of the chain held is freed.

        Raises BudgetExceeded, which says whether the chain may go on, and PriceUnknown.
        """
        self._release(x)
        plan = self._plan()
        price = self._prices.find(target.kind, target.model)
        if price is None:
            if plan.block_unknown:
                raise PriceUnknown(
                    f"the price of {target.name} is unknown and money.unknown_price is block"
                )
            return
        if price.free or not plan.modes:
            return
        who = x.request.principal
        rows, labels = self._budgets.counting(
            plan, key=who.key, tenant=who.tenant, model=target.model
        )
        if not rows.rows:
            return
        most = self._most(x, target, price)
        hold = self._budgets.reserve(rows, most, self.window())
        where = hold.refused or hold.soft
        if where is None:
            x.hold = hold
            return
        label = next((one for one in labels if one.partition(":")[0] == where[0]), where[0])
        downgrades = plan.modes[label] == "downgrade"
        if hold.refused is None:
            if not (downgrades and self._cheaper_follows(x, target, price)):
                x.hold = hold
                return
            self._budgets.settle(hold, 0, self.window())
            raise BudgetExceeded(
                f"the budget of the {where[0]} for this {where[1]} is nearly spent", goes_on=True
            )
        # Amounts are for the owner, who sees the budgets; the caller learns which one it is.
        words = ""
        if plan.modes[label] == "ask":
            words = _asks(where[0], most)
        raise BudgetExceeded(
            f"the budget of the {where[0]} for this {where[1]} has no room for it{words}",
            goes_on=downgrades,
        )

    def settle(self, x: Exchange) -> None:
        """Once, when the request is over: `x.cost_nano` is known by then."""
        spent = x.cost_nano if x.target is not None and x.cost_nano > 0 else 0
        self.leave(x)
        hold, x.hold = x.hold, None
        if hold is not None:
            self._budgets.settle(hold, spent, self.window())
        elif spent and x.target is not None:
            # A part of an answer that was lost before a free target took over.
            who, model = x.request.principal, x.target.model
            self._budgets.spend(
                self._plan(), spent, self.window(), key=who.key, tenant=who.tenant, model=model
            )

    def leave(self, x: Exchange) -> None:
        """Free what calls beside the one that answered hold; what they cost is in `lost`."""
        for one in x.beside:
            self._release(one)

    def window(self) -> Window:
        """Today and this month, in the hub's own zone."""
        now = time.time()
        if now >= self._until:
            self._window = Window.of(datetime.now())  # noqa: DTZ005 - the owner's midnight
            self._until = now + 1.0
        return self._window

    def _release(self, x: Exchange) -> None:
        hold, x.hold = x.hold, None
        if hold is not None:
            self._budgets.settle(hold, 0, self.window())

    def _most(self, x: Exchange, target: Target, price: Price) -> int:
        ask = x.parsed()
        usage = Usage(
            input=len(x.request.body) // CHARS_PER_TOKEN + 1,
            output=ask.max_tokens or target.max_tokens or ANSWER_TOKENS,
        )
        return cost(usage, price)

    def _cheaper_follows(self, x: Exchange, target: Target, price: Price) -> bool:
        later = x.targets[x.targets.index(target) + 1 :] if target in x.targets else ()
        for other in later:
            found = self._prices.find(other.kind, other.model)
            if found is not None and found.rates.output < price.rates.output:
                return True
        return False


def _asks(scope: str, most: int) -> str:
    """What whoever was refused by a budget that asks first can do."""
    if scope == "hub":
        return "; its owner can raise [money] in the hub's configuration"
    return (
        f"; it may cost up to {nano_text(most)} USD: its owner can approve so much more (on the "
        "page under Costs, or by `pihub budgets approve`), then send it again"
    )
