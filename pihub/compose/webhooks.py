"""Webhooks as a bill of materials: the worker's sink, the control process's services."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.domain.ports import Waiter
from pihub.http.data.webhooks import Sender, WebhookSink
from pihub.settings.alerts import OWN_SOURCE
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.settings.sizes import parse_size
from pihub.shared.metrics import Column
from pihub.upstream.connector.connector import Connector
from pihub.webhooks.signatures import verifier

if TYPE_CHECKING:
    from pihub.app import Hub
    from pihub.webhooks.desk import Desk
    from pihub.webhooks.service import Webhooks

log = logging.getLogger("pihub.webhooks")

THREADS = 16
"""Requests of senders that wait for one commit. RAM: about 100 KiB each."""
CONTROL_ROW = 0


def take_socket(hub: Hub) -> Path:
    """Where workers hand events over."""
    return hub.run_dir / "hooks.sock"


def webhook_sink(hub: Hub, slot: int, waiter: Waiter, connector: Connector) -> WebhookSink:
    """The sink of /webhooks in a worker."""
    senders = {
        name: Sender(
            verifier(webhook.kind, webhook.signatures),
            hub.loaded.secrets[f"webhooks.{name}"],
            parse_size(webhook.max_body),
        )
        for name, webhook in hub.settings.webhooks.items()
    }
    public_url = hub.settings.server.public_url
    return WebhookSink(
        senders, public_url, connector, str(take_socket(hub)), waiter, hub.state, slot
    )


class ControlWebhooks:
    """The control process's half: nothing at all where no event can come."""

    def __init__(self, hub: Hub, serve: Callable[..., None]) -> None:
        """`serve`: as controlplane.serve."""
        self._hub = hub
        self._http = serve
        self.service: Webhooks | None = None
        self._stop = threading.Event()
        self._server: threading.Thread | None = None

    def start(self) -> None:
        """Raises StartupError."""
        if not wanted(self._hub.settings):
            return
        from pihub.http.control.webhooks import TakeApp
        from pihub.server.waiter_poll import PollWaiter
        from pihub.webhooks.resolve import Guarded, SystemResolver
        from pihub.webhooks.service import Webhooks

        hub = self._hub
        counters = hub.state.counters
        columns = {
            "accepted": Column.HOOK_EVENTS,
            "duplicates": Column.HOOK_DUPLICATES,
            "ignored": Column.HOOK_IGNORED,
            "delivered": Column.HOOK_DELIVERED,
            "failed": Column.HOOK_FAILED,
            "dead": Column.HOOK_DEAD,
        }

        def count(what: str, number: int) -> None:
            counters.add(CONTROL_ROW, columns[what], number)

        def gauge(pending: int, dead: int) -> None:
            counters.set(CONTROL_ROW, Column.HOOK_PENDING, pending)
            counters.set(CONTROL_ROW, Column.HOOK_LETTERS, dead)

        def forget() -> None:
            # Nobody knows which kept answers speak of a person: those of all APIs go.
            for name in hub.settings.apis:
                hub.state.cache.invalidate_tag(hub.state.names.intern(name))

        names = SystemResolver()
        self.service = Webhooks(
            hub.settings,
            hub.loaded.secrets,
            database(hub.settings).parent,
            Connector(PollWaiter(), Guarded(names, hub.settings.egress.allow)),
            Connector(PollWaiter(), names),
            count,
            gauge,
            forget,
        )
        self.service.start()
        self._server = threading.Thread(
            target=self._serve,
            args=(TakeApp(self.service.inbox), listen(take_socket(hub))),
            name="take",
            daemon=True,
        )
        self._server.start()

    @property
    def desk(self) -> Desk | None:
        """After `start`."""
        return None if self.service is None else self.service.desk

    def finish(self) -> None:
        """No more events are taken in; what was taken in is committed."""
        self._stop.set()
        if self._server is not None:
            self._server.join(2.0)
        if self.service is not None:
            self.service.finish()

    def _serve(self, app: Callable[..., object], listener: socket.socket) -> None:
        self._http(app, listener, self._stop, threads=THREADS, largest=64 * 1024 * 1024)


def wanted(settings: Settings) -> bool:
    """Whether any event can come: of a sender, or of the hub itself."""
    told = [
        *(one.sources for one in settings.subscribers.values()),
        *(one.sources for one in settings.actions.values()),
    ]
    return bool(settings.webhooks) or any(OWN_SOURCE in sources for sources in told)


def listen(path: Path) -> socket.socket:
    """A fresh socket under the old name: at no moment is there none, or one of a stranger."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    draft.unlink(missing_ok=True)
    listener.bind(str(draft))
    draft.chmod(0o600)
    listener.listen(256)
    draft.rename(path)
    return listener
