"""What every worker does besides serving: its slot, its parent, its signs of life."""

from __future__ import annotations

import logging
import os
import signal
import struct
import time
from abc import ABC, abstractmethod
from typing import Any

from pihub.domain.ports import Waiter
from pihub.errors import StartupError
from pihub.server.kernel import Kernel
from pihub.server.ports import Hub, WSGIApplication
from pihub.settings.addresses import in_networks
from pihub.shared.heap import trim

TICK = 1.0
"""Seconds between two calls of Hub.on_tick."""
ORPHAN_GRACE = 5.0
"""Seconds that a worker drains after the arbiter died: short, since whoever starts the
next arbiter waits for the port."""
PID = struct.Struct("=i")
"""What a worker writes into the arbiter's ready pipe (atomic: 4 bytes)."""

log = logging.getLogger("pihub.server")


class HubWorker(ABC):
    """Mixed in before gunicorn's Worker; the arbiter sets `slot`, `ready_fd`, `kernel`."""

    slot: int
    ready_fd: int
    kernel: Kernel

    # gunicorn's Worker has these
    app: Any
    cfg: Any
    log: Any
    ppid: int
    pid: int
    alive: bool
    tmp: Any
    wsgi: WSGIApplication
    _last_tick = 0.0
    _told_source = 0.0
    _tick_failed = False

    @property
    def hub(self) -> Hub:
        hub: Hub = self.app.hub
        return hub

    def init_process(self) -> None:
        """After fork. Raises StartupError when the slot cannot be had."""
        self.kernel.die_with_parent(signal.SIGTERM)
        if os.getppid() != self.ppid:
            raise SystemExit(0)
        self.hub.prepare_process()
        self.claim()
        super().init_process()  # type: ignore[misc]  # the gunicorn class behind us

    def claim(self) -> None:
        """Take the arena's slot, if the arena is the arbiter's own.

        Workers of an arena that each mapped for itself would count, limit and cache
        alone, and nothing would fail loudly; so that is refused.
        """
        arena = self.hub.state.arena
        if arena.creator_pid != self.ppid:
            raise StartupError(
                "The shared arena was not made by this worker's arbiter "
                f"(made by {arena.creator_pid}, arbiter {self.ppid}): start the hub with "
                "`pihub serve`, which makes it before the workers."
            )
        arena.claim_slot(self.slot, os.getpid())

    def load_wsgi(self) -> None:
        self.wsgi = self.hub.worker_app(self.slot, self.make_waiter())
        trim()

    @abstractmethod
    def make_waiter(self) -> Waiter:
        """The engine's own; one per worker."""

    def init_signals(self) -> None:
        """As gunicorn's; an interrupt from the terminal is the arbiter's business."""
        super().init_signals()  # type: ignore[misc]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # blocked since before the fork, so that no early signal is lost
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def report_ready(self) -> None:
        """Tell the arbiter that this worker accepts; from now on it must show life."""
        self.tmp.notify()
        os.write(self.ready_fd, PID.pack(os.getpid()))
        os.close(self.ready_fd)
        self.ready_fd = -1

    def tick(self) -> None:
        """Call often; once a second it shows life and lets the hub do its chores."""
        now = time.monotonic()
        if now - self._last_tick < TICK * 0.9:
            return
        self._last_tick = now
        super().notify()  # type: ignore[misc]
        try:
            self.hub.on_tick(leaving=not self.alive)
            self._tick_failed = False
        except Exception:
            if not self._tick_failed:  # once, not every second
                log.exception("the worker's housekeeping failed")
            self._tick_failed = True

    def spared(self, address: str) -> bool:
        """Whether a source at `limits.connections_per_source` may open more: a trusted proxy
        may, since all clients come through it. Others are told of in the log, not more often
        than once a minute."""
        settings = self.hub.settings
        if in_networks(address, settings.access.trusted_proxies):
            return True
        now = time.monotonic()
        if now >= self._told_source:
            self._told_source = now + 60.0
            log.warning(
                "%s has %d connections to this worker: more are closed at once "
                "(limits.connections_per_source; a reverse proxy belongs into "
                "access.trusted_proxies)",
                address, settings.limits.connections_per_source,
            )  # fmt: skip
        return False

    def grace(self) -> float:
        """How long open requests may still take when this worker stops."""
        bound = float(self.cfg.graceful_timeout)
        return bound if os.getppid() == self.ppid else min(bound, ORPHAN_GRACE)
