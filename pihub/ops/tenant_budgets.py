"""Budgets as one tenant's people see and set them.

They see the tenant's budget and those of its keys. They may set, lift and remove those of
its keys; the tenant's own is set by whoever runs the hub, and holds above all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from pihub.domain.budget import Budget
from pihub.errors import Forbidden, NotFound
from pihub.ops.budgets import BudgetService, BudgetState
from pihub.store.budgets import Period


class TenantBudgets:
    """BudgetService for one tenant. `keys` gives the numbers of its keys."""

    def __init__(
        self, budgets: BudgetService, tenant: int, keys: Callable[[], Collection[int]]
    ) -> None:
        self._budgets = budgets
        self._tenant = tenant
        self._keys = keys

    def states(self) -> list[BudgetState]:
        keys = {str(number) for number in self._keys()}
        return [one for one in self._budgets.states() if self._owns(one.budget, keys)]

    def one(self, number: int) -> BudgetState:
        """Raises NotFound."""
        found = next((state for state in self.states() if state.id == number), None)
        if found is None:
            raise NotFound(f"there is no budget {number}")
        return found

    def put(self, budget: Budget) -> BudgetState:
        """Raises BadRequest and Forbidden."""
        self._may_change(budget)
        return self._budgets.put(budget)

    def delete(self, number: int) -> None:
        """Raises NotFound and Forbidden."""
        self._may_change(self.one(number).budget)
        self._budgets.delete(number)

    def approve(self, number: int, period: Period, nano: int, by: str) -> BudgetState:
        """Raises BadRequest, NotFound and Forbidden."""
        self._may_change(self.one(number).budget)
        return self._budgets.approve(number, period, nano, by)

    def _owns(self, budget: Budget, keys: Collection[str]) -> bool:
        if budget.scope == "tenant":
            return budget.name == str(self._tenant)
        return budget.scope == "key" and budget.name in keys

    def _may_change(self, budget: Budget) -> None:
        keys = {str(number) for number in self._keys()}
        if budget.scope != "key" or budget.name not in keys:
            raise Forbidden("you may set the budgets of your own tenant's keys only")
