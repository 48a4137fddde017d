"""What screens look at, beside the control plane's services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pihub.domain.pricing import PriceTable
from pihub.settings.loaded import Loaded

if TYPE_CHECKING:
    from pihub.shared.state import SharedState


@dataclass(frozen=True, slots=True)
class Sources:
    """`services` are the control plane's (http/control/services.py), which this package may
    not import: screens read their fields `store`, `live`, `budgets`, `streams`, `keys`,
    `webhooks` and `control`."""

    services: Any
    loaded: Loaded
    prices: PriceTable
    state: SharedState
