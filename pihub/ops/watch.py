"""The control process's watch over the machine: readings into the arena, wear counted.

One thread, one look each five seconds, about 1 ms; nothing is written to storage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from pihub.ops.easing import WHOLE, WORDS, Cause, ease
from pihub.ops.machine import Reading, device_written, read, written_by
from pihub.shared.machine import CONTROL, Gauge, MachineState

log = logging.getLogger("pihub.machine")

INTERVAL = 5.0
DAY = 86400.0
MARKS = 289
"""Remembered totals of a day, one each five minutes. RAM: about 30 KiB."""


class Wear:
    """Bytes that changing processes have written, and the rate a day.

    A process that ended keeps what was last seen of it: at most five seconds are missed.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._total = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=MARKS)

    def add(self, now: float, written: dict[int, int]) -> None:
        """`written`: bytes by process, each since that process began."""
        for pid, count in written.items():
            before = self._seen.get(pid, 0)
            # a number may be given again to a new process, which starts from zero
            self._total += count - before if count >= before else count
        self._seen = written
        if not self._marks or now - self._marks[-1][0] >= DAY / (MARKS - 1):
            self._marks.append((now, self._total))

    @property
    def total(self) -> int:
        return self._total

    def per_day(self, now: float) -> int:
        """Of the last day, or scaled up to one from at least an hour, else what there is."""
        if not self._marks:
            return 0
        at, count = self._marks[0]
        past = max(now - at, 3600.0)
        return round((self._total - count) * DAY / past) if past < DAY else self._total - count


class Watch:
    """Reads, decides how much work the machine may take, and publishes both."""

    def __init__(
        self,
        board: MachineState,
        pids: Callable[[], Iterable[int]],
        folder: Path,
        *,
        easing: bool,
        hot: float,
        budget: int,
        look: Callable[[], Reading] = read,
    ) -> None:
        self._board = board
        self._pids = pids
        self._folder = folder
        self._easing = easing
        self._hot = hot
        self._look = look
        self._share = WHOLE
        self._cause = Cause.NONE
        self._wear = Wear()
        self._over = False
        self._budget = budget
        board.put(CONTROL, Gauge.WRITE_BUDGET, budget)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.turn(time.time())
            except Exception:  # a strange /sys must not end the watch
                log.exception("the machine could not be read")
            stop.wait(INTERVAL)

    def turn(self, now: float) -> None:
        """One look. `now`: Unix seconds."""
        found = self._look()
        if self._easing:
            self._decide(*ease(self._share, found, self._hot))
        self._wear.add(now, written_by(list(self._pids())))
        day = self._wear.per_day(now)
        if (day > self._budget) != self._over:
            self._over = not self._over
            if self._over:
                log.warning(
                    "%.0f MB a day are written to storage, over machine.write_budget: "
                    "raise store.flush or lower store.retention_days",
                    day / 1e6,
                )
        for gauge, value in (
            (Gauge.TEMPERATURE, _times(found.temperature, 1000)),
            (Gauge.FLAGS, found.flags),
            (Gauge.AVAILABLE, found.available),
            (Gauge.MEMORY_SOME, _times(found.memory_some, 100)),
            (Gauge.MEMORY_FULL, _times(found.memory_full, 100)),
            (Gauge.CPU_SOME, _times(found.cpu_some, 100)),
            (Gauge.IO_SOME, _times(found.io_some, 100)),
            (Gauge.SHARE, self._share),
            (Gauge.CAUSE, int(self._cause)),
            (Gauge.WRITTEN, self._wear.total),
            (Gauge.WRITTEN_DAY, day),
            (Gauge.DEVICE_WRITTEN, device_written(self._folder)),
            (Gauge.READ_AT, int(now)),
        ):
            self._board.put(CONTROL, gauge, value)

    def _decide(self, share: int, cause: Cause) -> None:
        if cause not in (self._cause, Cause.RECOVERING) and cause is not Cause.NONE:
            log.warning(
                "%s: from now on at most %d %% of the usual work at once",
                WORDS[cause],
                share // 10,
            )
        elif share == WHOLE and self._share < WHOLE:
            log.info("the machine has recovered: all work is taken again")
        self._share, self._cause = share, cause


def _times(value: float | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)
