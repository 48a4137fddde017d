"""[money] and [energy]: what may be spent by default, and what electricity costs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Section

Usd = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class Money(Section, frozen=True):
    per_day_usd: Usd = 0.0
    """What the whole hub may spend a day; 0: no limit. `pihub budgets` sets finer ones."""
    per_month_usd: Usd = 0.0
    at_limit: Literal["refuse", "downgrade", "ask"] = "downgrade"
    """Of the two limits above; see docs/design/money.md."""
    unknown_price: Literal["allow", "block"] = "allow"
    """Whether a model whose price nobody knows may be called at all."""


class Energy(Section, frozen=True):
    watts: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    """Drawn by local generation beyond idling; 0: not counted."""
    usd_per_kwh: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
