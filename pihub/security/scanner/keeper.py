"""The control process's half: findings to disk, allowances to the workers."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from pihub.domain.finding import Finding
from pihub.errors import NotFound
from pihub.settings.schema import Settings
from pihub.shared.findings import Board, FindingLog, publish
from pihub.shared.state import SharedState
from pihub.store.findings import AllowanceRow, AllowanceRows, FindingRows
from pihub.store.sqlite import Database, StoreFault

log = logging.getLogger("pihub.scanner")

POLL = 1.0
"""Seconds; a worker can be 128 findings ahead."""
PRUNE_EVERY = 600.0
PRUNE_ROWS = 500


class ScannerDesk(Protocol):
    """What the admin API works with."""

    def recent(self, limit: int) -> list[Finding]: ...

    def one(self, name: str) -> Finding: ...

    def allowances(self) -> list[AllowanceRow]: ...

    def allow(self, name: str, by: str) -> list[AllowanceRow]: ...

    def revoke(self, number: int) -> AllowanceRow: ...


class NoFindings:
    """Where nothing is scanned."""

    def recent(self, limit: int) -> list[Finding]:
        return []

    def one(self, name: str) -> Finding:
        raise NotFound(f"there is no finding {name[:16]!r}")

    def allowances(self) -> list[AllowanceRow]:
        return []

    def allow(self, name: str, by: str) -> list[AllowanceRow]:
        raise NotFound(f"there is no finding {name[:16]!r}")

    def revoke(self, number: int) -> AllowanceRow:
        raise NotFound(f"there is no allowance {number}")


class Keeper:
    """Implements ScannerDesk. One thread drains; any thread may ask."""

    def __init__(
        self,
        findings: FindingLog,
        board: Board,
        rows: FindingRows,
        allowances: AllowanceRows,
        retention_days: int,
    ) -> None:
        self._log = findings
        self._board = board
        self._rows = rows
        self._allowances = allowances
        self._keep_ns = retention_days * 86_400_000_000_000
        self._cursors = dict.fromkeys(range(findings.rings), 0) | rows.cursors()
        self._lock = threading.Lock()
        self._next_prune = 0.0
        self.lost = 0

    def publish(self) -> None:
        """Puts the allowances in force in every worker."""
        found = self._allowances.list()
        try:
            publish(self._board, [(r.path, r.place, r.field, r.rule) for r in found])
        except ValueError:
            log.error("%d allowances are too many: the last published ones stay", len(found))

    def drain(self) -> int:
        """What the rings hold, stored: how many. Raises StoreFault."""
        with self._lock:
            cursors, found, lost = dict(self._cursors), [], 0
            for ring, cursor in self._cursors.items():
                cursors[ring], missed, some = self._log.read(ring, cursor)
                lost += missed
                found += some
            if found or lost:
                self._rows.commit(cursors, found)
                self._cursors = cursors
                self.lost += lost
                if lost:
                    log.warning("%d findings came too fast to be kept", lost)
            return len(found)

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(POLL):
            self._safely()
        self._safely()

    def _safely(self) -> None:
        try:
            self.drain()
            if time.monotonic() >= self._next_prune:
                self._next_prune = time.monotonic() + PRUNE_EVERY
                self._rows.prune(time.time_ns() - self._keep_ns, PRUNE_ROWS)
        except StoreFault as error:
            log.warning("findings cannot be stored now: %s", error)

    # ---- the admin's ------------------------------------------------------------

    def recent(self, limit: int) -> list[Finding]:
        self.drain()
        return self._rows.recent(limit)

    def one(self, name: str) -> Finding:
        """Raises NotFound."""
        self.drain()
        try:
            found = self._rows.one(int(name, 16)) if len(name) == 16 else None
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise NotFound(f"there is no finding {name[:16]!r}")
        return found

    def allowances(self) -> list[AllowanceRow]:
        return self._allowances.list()

    def allow(self, name: str, by: str) -> list[AllowanceRow]:
        """Lets pass what is as this finding. Raises NotFound."""
        self._allowances.add(self.one(name), by)
        self.publish()
        return self.allowances()

    def revoke(self, number: int) -> AllowanceRow:
        """Raises NotFound."""
        for row in self.allowances():
            if row.id == number:
                self._allowances.remove(number)
                self.publish()
                return row
        raise NotFound(f"there is no allowance {number}")


def open_keeper(
    settings: Settings, state: SharedState, metrics: Database, control: Database
) -> Keeper:
    """On connections of others; the allowances are in force when this returns."""
    keeper = Keeper(
        state.findings,
        state.allowed,
        FindingRows(metrics, state.arena.boot_id),
        AllowanceRows(control),
        settings.scanner.retention_days,
    )
    keeper.publish()
    return keeper
