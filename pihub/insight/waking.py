"""The recorder's sleep: until the rings hold something, or much.

A worker whose ring reaches its alarm writes to an eventfd, once; before that and after it, a
push costs what it costs without. Nothing is looked at meanwhile, so an idle hub's recorder
does not run at all. Rings that it may not write to (the arena before, attached read-only) or
without an eventfd are looked at every `POLL` seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Protocol

from pihub.insight import merging
from pihub.shared.bell import Bell

POLL = 0.25
"""Seconds between looks where nobody can wake us: a ring is half full after that time at
16,000 requests a second of one worker, and overflows at 32,000. A look costs 3 us."""


class Rings(merging.Rings, Protocol):
    """As `merging.Rings`, with alarms."""

    def alarm(self, ring: int, at: int) -> None: ...

    @staticmethod
    def settle() -> bool: ...


class Log(Protocol):
    """All rings and how many (`shared.events.EventLog`)."""

    rings: int
    wake: int
    """Eventfd that the rings' alarms write to; -1: none."""

    @property
    def ring(self) -> Rings: ...


class Sleeper:
    """One thread's; only `nudge` is for others."""

    def __init__(self, events: Log) -> None:
        self._ring = events.ring
        self._rings = events.rings
        self._bell = Bell(events.wake) if events.wake >= 0 else None
        self.wakes = 0
        """How often it was woken or looked."""

    def nudge(self) -> None:
        """End a sleep: `stop` was set."""
        if self._bell is not None:
            self._bell.ring()

    def sleep(
        self, cursors: Mapping[int, int], level: int, seconds: float, stop: threading.Event
    ) -> None:
        """Until a ring holds `level` records beyond its cursor, for `seconds` at most."""
        end = time.monotonic() + seconds
        heard = False
        if self._bell is not None and not self.holds(cursors, level):
            for ring, cursor in self._known(cursors):
                self._ring.alarm(ring, cursor + level)
            # Where the kernel cannot make it sure, a second look does.
            heard = self._ring.settle()
        while not stop.is_set() and not self.holds(cursors, level):
            left = end - time.monotonic()
            if left <= 0:
                return
            self.wakes += 1
            if self._bell is None:
                stop.wait(min(left, POLL))
            else:
                self._bell.wait(left if heard else min(left, POLL))
                heard = True

    def holds(self, cursors: Mapping[int, int], level: int) -> bool:
        """Whether a ring holds `level` records beyond its cursor."""
        return any(
            self._ring.head(ring) - cursor >= level for ring, cursor in self._known(cursors)
        )

    def _known(self, cursors: Mapping[int, int]) -> list[tuple[int, int]]:
        return [(ring, cursor) for ring, cursor in cursors.items() if ring < self._rings]
