"""How many workers the arbiter keeps now, and the reason: scaler, signals, publication."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from gunicorn import systemd

from pihub.server.ports import Hub
from pihub.server.scaling import Gauge, Load, Scaler
from pihub.settings.schema import Server
from pihub.settings.workers import Bounds
from pihub.shared.machine import Why

EVERY = 1.0
"""Seconds between two looks at the load."""

log = logging.getLogger("pihub.server")


class Population:
    """One a process image. `wanted` is the number of workers to keep."""

    def __init__(self, server: Server, bounds: Bounds, slots: int, inherited: int) -> None:
        """`slots`: worker slots of the arena. `inherited`: workers of the image before, 0
        at the first start: a reload must not begin again from the least."""
        most = max(1, min(bounds.most, slots // 2))
        least = min(bounds.least, most)
        self.wanted = max(least, min(inherited, most))
        self._slots = slots
        self._scaler = Scaler(least, most, server.scale_up_after, server.scale_down_after)
        self._gauge = Gauge()
        self._load = Load(0, 0.0, 0, 1.0)
        self._why = Why.START
        self._at = int(time.time())
        self._next = 0.0
        self._watchdog = _watchdog()
        self._alive = 0.0

    def signal(self, more: int) -> None:
        """SIGTTIN and SIGTTOU: by hand, also beyond the bounds."""
        self._scaler.begin_anew()
        self._change(max(1, min(self.wanted + more, self._slots)), Why.SIGNAL)

    def turn(
        self, now: float, hub: Hub, workers: Sequence[int], sockets: Iterable[Any], settled: bool
    ) -> None:
        """Looks once a second. `settled`: all wanted workers accept, nobody is starting."""
        if now < self._next:
            return
        self._next = now + EVERY
        self._load = self._gauge.look(now, workers, sockets)
        if self._scaler.active and settled:
            found = self._scaler.decide(now, self._load)
            if found is not None:
                self._change(*found)
        hub.scaled(
            {
                "workers": self.wanted,
                "workers_min": self._scaler.least,
                "workers_max": self._scaler.most,
                "scaled_at": self._at,
                "scaled_for": int(self._why),
                "load": round(self._load.busy * 1000),
                "queued": self._load.queued,
            }
        )

    def alive(self, now: float, gunicorn_log: Any) -> None:
        """systemd's watchdog, at half of its interval (sd_watchdog_enabled(3))."""
        if self._watchdog and now - self._alive >= self._watchdog / 2:
            self._alive = now
            systemd.sd_notify("WATCHDOG=1", gunicorn_log)

    def _change(self, number: int, why: Why) -> None:
        if number == self.wanted:
            return
        log.info(
            "%d workers, were %d: %s (busy %d %%, %d connections wait, %d %% of memory free)",
            number, self.wanted, why.name.lower(), round(self._load.busy * 100),
            self._load.queued, round(self._load.available * 100),
        )  # fmt: skip
        self.wanted, self._why, self._at = number, why, int(time.time())


def _watchdog() -> float:
    """Seconds; 0 if systemd does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    value = os.environ.get("WATCHDOG_USEC", "")
    return int(value) / 1e6 if value.isdecimal() else 0.0
