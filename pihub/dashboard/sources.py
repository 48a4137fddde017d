"""What screens look at, beside the control plane's services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pihub.domain.pricing import PriceTable
from pihub.settings.loaded import Loaded
from pihub.settings.schema import Model
from pihub.store.rows import KeyRow, TenantRow

if TYPE_CHECKING:
    from pihub.shared.state import SharedState


@dataclass(frozen=True, slots=True)
class Sources:
    """`services` are the control plane's (http/control/services.py), which this package may
    not import: screens read their fields `store`, `live`, `budgets`, `streams`, `keys`,
    `webhooks`, `scanner` and `control`."""

    services: Any
    loaded: Loaded
    prices: PriceTable
    state: SharedState
    tenant: int | None = None
    """The one whose people look: `services` know of no other. `keys` and `control` do, so
    screens filter what they show of those. None: of all."""

    def of_tenant(self, number: int) -> Sources:
        return replace(self, services=self.services.of_tenant(number), tenant=number)

    def known_keys(self) -> list[KeyRow]:
        """Of whom the reader may know."""
        return [key for key in self.services.keys.list() if self.tenant in (None, key.tenant)]

    def tenants(self) -> list[TenantRow]:
        return [one for one in self.services.keys.tenants() if self.tenant in (None, one.id)]

    def models(self) -> dict[str, Model]:
        """Names that clients use, those that the reader's tenant may use."""
        found = self.loaded.settings.models
        if self.tenant is None:
            return found
        allowed = next((one.models for one in self.tenants()), [])
        return {name: one for name, one in found.items() if allowed is None or name in allowed}
