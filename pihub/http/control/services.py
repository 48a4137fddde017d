"""What the control plane's operations and pages work with; the composition root fills it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from pihub.gateway.preview import Previewer
from pihub.insight.cache_desk import CacheDesk
from pihub.insight.tenant_picture import TenantPicture
from pihub.jobs.service import JobService
from pihub.ops.budgets import BudgetService
from pihub.ops.catalog import Catalog
from pihub.ops.configuring import ConfigDesk
from pihub.ops.tenant_budgets import TenantBudgets
from pihub.ops.upstreams import UpstreamDesk
from pihub.ops.vitals import Vitals
from pihub.ops.wan import WanWatch
from pihub.security.egress import Egress
from pihub.security.keys import KeyService
from pihub.security.opening import Control
from pihub.security.scanner.keeper import NoFindings, ScannerDesk
from pihub.shared.streams import LiveStreams
from pihub.store.metrics import MetricsStore
from pihub.store.reports import StoredReports
from pihub.webhooks.desk import Desk, NoDesk


class Picture(Protocol):
    """`insight.live.Live`, or one tenant's."""

    def snapshot(self) -> tuple[int, bytes]: ...


@dataclass(frozen=True, slots=True)
class ControlServices:
    """One field a service; a new capability adds its own, and says in `of_tenant` what one
    tenant's people see of it."""

    keys: KeyService
    store: StoredReports
    live: Picture
    budgets: BudgetService | TenantBudgets
    streams: LiveStreams
    upstreams: UpstreamDesk
    config: ConfigDesk
    public_url: str = ""
    secret: bytes = b""
    """Signs cursors; derived from the installation's pepper."""
    webhooks: Desk = field(default_factory=NoDesk)
    scanner: ScannerDesk = field(default_factory=NoFindings)
    desk: CacheDesk | None = None
    """None in tests of pages alone."""
    control: Control | None = None
    """Users, sessions, audit log; None in tests of pages alone."""
    catalog: Catalog | None = None
    """What the configuration offers; None in tests of pages alone."""
    vitals: Vitals | None = None
    """Health, forecasts, alerts; None in tests of pages alone."""
    proxies: tuple[str, ...] = ()
    level: str = "home"
    """`access.mode`"""
    egress: Egress | None = None
    """None in tests of pages alone."""

    jobs: JobService | None = None
    """Deferred requests of all tenants: what uses it asks `actor.tenant`."""

    wan: WanWatch | None = None
    """None in tests of pages alone."""
    preview: Previewer | None = None
    """What the router would do; None in tests of pages alone. What uses it asks
    `actor.tenant` for its models."""

    @property
    def router(self) -> Previewer:
        assert self.preview is not None
        return self.preview

    @property
    def cache(self) -> CacheDesk:
        assert self.desk is not None
        return self.desk

    @property
    def access(self) -> Control:
        assert self.control is not None
        return self.control

    def of_tenant(self, number: int) -> ControlServices:
        """The same services, which know of one tenant only: every operation and page that
        is called for a person of that tenant gets these. `keys`, `scanner` and `control`
        stay whole; what uses them asks `actor.tenant`."""
        assert isinstance(self.store, MetricsStore)
        assert isinstance(self.budgets, BudgetService)
        keys = self.keys
        store = StoredReports(self.store.database, number)
        streams = self.streams.of_tenant(number)
        return replace(
            self,
            store=store,
            live=TenantPicture(store, streams),
            streams=streams,
            budgets=TenantBudgets(
                self.budgets,
                number,
                lambda: [row.id for row in keys.list() if row.tenant == number],
            ),
            webhooks=self.webhooks.of_tenant(keys.tenant(number).name),
            vitals=None,
        )

    @property
    def offers(self) -> Catalog:
        assert self.catalog is not None
        return self.catalog

    @property
    def health(self) -> Vitals:
        assert self.vitals is not None
        return self.vitals
