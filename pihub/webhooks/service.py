"""Webhooks in the control process: the store, its committer, the inbox, housekeeping."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from pihub.settings.schema import Settings
from pihub.store.group import Closed, Full, GroupCommit
from pihub.store.hooks import DAY_MS, FILE_NAME, HookDatabase, prune
from pihub.store.sqlite import Connection, StoreFault
from pihub.webhooks.inbox import Count, Inbox
from pihub.webhooks.routing import Routes, wishes

log = logging.getLogger("pihub.webhooks")

HOUSEKEEPING = 60.0
ROWS = 500
"""Events deleted at once: the committer is held for some milliseconds."""
PATIENCE = 5.0


class Webhooks:
    """`start` once, `finish` once."""

    def __init__(self, settings: Settings, folder: Path, count: Count) -> None:
        """Raises StartupError."""
        self._webhooks = settings.webhooks
        self.store = HookDatabase(folder / FILE_NAME)
        self.group = GroupCommit(self.store.database)
        self.inbox = Inbox(
            settings.webhooks, self.store, self.group, Routes(wishes(settings)), self._wake, count
        )
        self._stop = threading.Event()
        self._committer = threading.Thread(target=self.group.run, name="commit", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="hooks", daemon=True)

    def start(self) -> None:
        self._committer.start()
        self._keeper.start()

    def finish(self) -> None:
        """What was submitted is committed; within PATIENCE seconds."""
        self._stop.set()
        self.group.close()
        self._committer.join(PATIENCE)
        if self._committer.is_alive():
            log.error("webhooks: the last changes were not stored within %g s", PATIENCE)
            return
        self._keeper.join(PATIENCE)
        try:
            self.store.close()
        except StoreFault as error:
            log.warning("the webhooks' database did not close cleanly: %s", error)

    def _wake(self, targets: Iterable[str]) -> None:
        pass

    def _keep(self) -> None:
        while not self._stop.wait(HOUSEKEEPING):
            try:
                self.prune(int(time.time() * 1000))
            except (StoreFault, TimeoutError, Closed, Full) as error:
                log.warning("old events could not be deleted: %s", error)

    def prune(self, now: int) -> int:
        """Delete what is older than its webhook keeps; how many events."""
        removed = 0
        for name, webhook in self._webhooks.items():
            before = now - webhook.keep_days * DAY_MS

            def work(connection: Connection, name: str = name, before: int = before) -> int:
                return prune(connection, name, before, now, ROWS)

            while not self._stop.is_set():
                found = self.group.call(work, 30.0)
                removed += found
                if found < ROWS:
                    break
        self.store.database.checkpoint()
        return removed
