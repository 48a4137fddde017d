"""What the control plane's operations and pages work with; the composition root fills it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pihub.insight.live import Live
from pihub.ops.budgets import BudgetService
from pihub.ops.upstreams import UpstreamDesk
from pihub.security.keys import KeyService
from pihub.security.opening import Control
from pihub.security.scanner.keeper import NoFindings, ScannerDesk
from pihub.shared.streams import LiveStreams
from pihub.store.rows import EventStore
from pihub.webhooks.desk import Desk, NoDesk


@dataclass(frozen=True, slots=True)
class ControlServices:
    """One field a service; a new capability adds its own."""

    keys: KeyService
    store: EventStore
    live: Live
    budgets: BudgetService
    streams: LiveStreams
    upstreams: UpstreamDesk
    public_url: str = ""
    secret: bytes = b""
    """Signs cursors; derived from the installation's pepper."""
    webhooks: Desk = field(default_factory=NoDesk)
    scanner: ScannerDesk = field(default_factory=NoFindings)
    control: Control | None = None
    """Users, sessions, audit log; None in tests of pages alone."""
    proxies: tuple[str, ...] = ()
    level: str = "home"
    """`access.mode`"""

    @property
    def access(self) -> Control:
        assert self.control is not None
        return self.control
