"""What may be spent: one limit a scope, by day and by month, and what happens at it."""

from __future__ import annotations

from typing import Literal

import msgspec

AtLimit = Literal["refuse", "downgrade", "ask"]
"""refuse: paid targets are refused. downgrade: the chain goes on to what is cheaper, from the
soft limit on. ask: refused until somebody approves more."""
Scope = Literal["hub", "tenant", "user", "key", "model"]
SCOPES: tuple[Scope, ...] = ("hub", "tenant", "user", "key", "model")


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in nano-USD; 0: none. `name` is "" for the hub, a number's text for tenants and
    keys, a name for users and models."""

    scope: Scope
    name: str
    day_nano: int = 0
    month_nano: int = 0
    soft_percent: int = 80
    """From this part of a limit on, `downgrade` prefers what is cheaper."""
    at_limit: AtLimit = "refuse"

    @property
    def label(self) -> str:
        return f"{self.scope}:{self.name}" if self.name else self.scope


class Plan(msgspec.Struct, frozen=True):
    """What workers must know of all budgets; published as a whole."""

    modes: dict[str, AtLimit] = {}
    """By the budget's label."""
    users: dict[int, str] = {}
    """Key to user, of users that have a budget."""
    block_unknown: bool = False
    """Models without a known price are not called."""

    def labels(self, *, key: int, tenant: int, model: str) -> list[str]:
        """Of the budgets in which a request counts."""
        user = self.users.get(key)
        wanted = ["hub", f"tenant:{tenant}", f"key:{key}", f"model:{model}"]
        if user is not None:
            wanted.append(f"user:{user}")
        return [label for label in wanted if label in self.modes]
