"""Webhooks in the control process: store, committer, inbox, couriers, housekeeping."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pihub.settings.alerts import OWN_SOURCE
from pihub.settings.schema import Settings
from pihub.store.group import Closed, Full, GroupCommit
from pihub.store.hooks import DAY_MS, FILE_NAME, HookDatabase, NewEvent, Taken, bury, prune
from pihub.store.sqlite import Connection, StoreFault
from pihub.upstream.connector.connector import Connector
from pihub.webhooks.actions import ActionTarget, own_origin
from pihub.webhooks.attempt import HttpTarget, Target
from pihub.webhooks.courier import Courier
from pihub.webhooks.desk import HookDesk
from pihub.webhooks.inbox import Inbox
from pihub.webhooks.routing import Routes, wishes

log = logging.getLogger("pihub.webhooks")

HOUSEKEEPING = 60.0
LOOK = 5.0
"""Seconds between counts of what is pending and dead."""
ROWS = 500
"""Events deleted at once: the committer is held for some milliseconds."""
PATIENCE = 5.0
ANNOUNCE = 2.0
"""Seconds for the commit of an event of the hub's own."""
OWN_DAYS = 30
"""For which those are kept."""
LAST = 2.0
"""Seconds for attempts under way at the end; what is cut off is repeated under its key."""

Count = Callable[[str, int], None]
"""(what, how many): `accepted`, `duplicates`, `ignored`, `delivered`, `failed`, `dead`."""
Gauge = Callable[[int, int], None]
"""(pending, dead) deliveries."""


class Webhooks:
    """`start` once, `finish` once."""

    def __init__(
        self,
        settings: Settings,
        secrets: Mapping[str, bytes],
        folder: Path,
        outside: Connector,
        inside: Connector,
        count: Count,
        gauge: Gauge,
        forget: Callable[[], None],
    ) -> None:
        """`outside` calls subscribers, `inside` the hub itself; `forget` lets go of what is kept
        of APIs. Raises StartupError."""
        self._webhooks = settings.webhooks
        self._connectors = (outside, inside)
        self._gauge = gauge
        self.store = HookDatabase(folder / FILE_NAME)
        self.group = GroupCommit(self.store.database)
        lock = threading.Lock()

        def counted(what: str, number: int) -> None:
            # Several threads count here, and a row of counters has one writer.
            with lock:
                count(what, number)

        waits = {name: int(one.settle * 1000) for name, one in settings.webhooks.items()}
        self.couriers: dict[str, Courier] = {}
        for name, target in targets(settings, secrets, outside, inside).items():
            one = settings.subscribers.get(name) or settings.actions[name]
            self.couriers[name] = Courier(
                name, target, one.concurrency, one.delivery, self.store, self.group, counted, waits
            )
        self._routes = Routes(wishes(settings))
        self.inbox = Inbox(
            settings.webhooks, self.store, self.group, self._routes, self.wake, counted, forget
        )
        self.desk = HookDesk(
            settings.webhooks, self.store, self.group, self.couriers, wishes(settings)
        )
        self._stop = threading.Event()
        self._committer = threading.Thread(target=self.group.run, name="commit", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="hooks", daemon=True)
        self._senders = [
            thread for courier in self.couriers.values() for thread in courier.threads()
        ]

    def start(self) -> None:
        for thread in (self._committer, self._keeper, *self._senders):
            thread.start()

    def finish(self) -> None:
        """What was submitted is committed; within LAST and PATIENCE seconds."""
        self._stop.set()
        for courier in self.couriers.values():
            courier.stop()
        end = time.monotonic() + LAST
        for thread in self._senders:
            thread.join(max(0.0, end - time.monotonic()))
        self.group.close()
        self._committer.join(PATIENCE)
        if self._committer.is_alive():
            log.error("webhooks: the last changes were not stored within %g s", PATIENCE)
            return
        self._keeper.join(PATIENCE)
        for connector in self._connectors:
            connector.close()
        try:
            self.store.close()
        except StoreFault as error:
            log.warning("the webhooks' database did not close cleanly: %s", error)

    def wake(self, names: Iterable[str]) -> None:
        """Something new is committed for these targets."""
        for name in names:
            courier = self.couriers.get(name)
            if courier is not None:
                courier.wake()

    def announce(self, kind: str, about: str, at: int, body: str, key: bytes) -> bool:
        """An event of the hub's own, committed for whoever names its source.

        `at`: ms; `body`: JSON; `key`: 16 bytes, the same key is taken once. False: the disk
        did not take it, try again. True also where nobody wants it: then nothing is kept.
        """
        wanted = self._routes.of(OWN_SOURCE, kind)
        if not wanted:
            return True
        event = NewEvent(key, about, kind, at, body, wanted)

        def work(connection: Connection) -> Taken:
            return self.store.add(connection, OWN_SOURCE, [event], at, at)

        try:
            self.wake(self.group.call(work, ANNOUNCE).targets)
        except (StoreFault, TimeoutError, Closed, Full) as error:
            log.warning("webhooks: an alert waits for the disk: %s", error)
            return False
        return True

    def _bury(self) -> None:
        known, now = list(self.couriers), int(time.time() * 1000)
        buried = self.group.call(lambda connection: bury(connection, known, now), 30.0)
        if buried:
            log.warning("webhooks: %d deliveries to targets that are gone", buried)

    def _keep(self) -> None:
        pruned = time.monotonic()
        buried = False
        while True:
            try:
                if not buried:
                    self._bury()
                    buried = True
                self._gauge(self.store.pending(), self.store.dead())
                for connector in self._connectors:
                    connector.close_idle()
                if time.monotonic() - pruned >= HOUSEKEEPING:
                    pruned = time.monotonic()
                    self.prune(int(time.time() * 1000))
            except (StoreFault, TimeoutError, Closed, Full) as error:
                log.warning("webhooks: housekeeping failed: %s", error)
            if self._stop.wait(LOOK):
                return

    def prune(self, now: int) -> int:
        """Delete what is older than its webhook keeps; how many events."""
        removed = 0
        kept = {name: webhook.keep_days for name, webhook in self._webhooks.items()}
        for name, days in {**kept, OWN_SOURCE: OWN_DAYS}.items():
            before = now - days * DAY_MS

            def work(connection: Connection, name: str = name, before: int = before) -> int:
                return prune(connection, name, before, now, ROWS)

            while not self._stop.is_set():
                found = self.group.call(work, 30.0)
                removed += found
                if found < ROWS:
                    break
        self.store.database.checkpoint()
        return removed


def targets(
    settings: Settings, secrets: Mapping[str, bytes], outside: Connector, inside: Connector
) -> dict[str, Target]:
    """All subscribers, called through `outside`, and actions, which call the hub itself.

    Raises ConfigError for a URL that cannot be called.
    """
    found: dict[str, Target] = {}
    for name, subscriber in settings.subscribers.items():
        found[name] = HttpTarget(subscriber, secrets.get(f"subscribers.{name}"), outside)
    own = own_origin(settings.server.listen)
    for name, action in settings.actions.items():
        api, key = settings.apis[action.api], secrets.get(f"actions.{name}")
        found[name] = ActionTarget(name, action, api, key, own, inside)
    return found
