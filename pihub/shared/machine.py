"""The machine's state as all processes see it: two rows of numbers in the arena.

Row CONTROL is written by the control process, row ARBITER by the arbiter. RAM: 512 bytes.
"""

from __future__ import annotations

from enum import IntEnum

from pihub._core.arena import Arena
from pihub._core.counters import Counters

CONTROL = 0
ARBITER = 1
ROWS = 2
UNKNOWN = -1_000_000
"""Stands for a reading that this machine does not give."""


class Gauge(IntEnum):
    """Columns. Temperatures in thousandths of a degree, pressures in hundredths of a percent."""

    READ_AT = 0
    """Unix seconds of the last reading; 0: none yet."""
    TEMPERATURE = 1
    FLAGS = 2
    """The firmware's get_throttled bits."""
    AVAILABLE = 3
    MEMORY_SOME = 4
    MEMORY_FULL = 5
    CPU_SOME = 6
    IO_SOME = 7
    SHARE = 8
    """Thousandths of the configured limit of open requests; 0: whole (nothing read yet)."""
    CAUSE = 9
    """Of that share, `pihub.ops.easing.Cause`."""
    WRITTEN = 10
    """Bytes that the hub has sent to storage since it started."""
    WRITTEN_DAY = 11
    """The same a day: measured over the last day, or scaled up from what there is."""
    DEVICE_WRITTEN = 12
    """Bytes that everybody has written to that device since the machine started."""
    WRITE_BUDGET = 13
    WORKERS = 14
    """How many the arbiter wants (its row), and between which bounds:"""
    WORKERS_MIN = 15
    WORKERS_MAX = 16
    SCALED_AT = 17
    """Unix seconds of the last change of that number."""
    SCALED_FOR = 18
    """Its reason, `Why`."""
    LOAD = 19
    """Busy thousandths of a worker, averaged over all."""
    QUEUED = 20
    """Connections that wait to be accepted."""


SHARE = (CONTROL, Gauge.SHARE)
"""Where the core reads the share (row, column)."""


class Why(IntEnum):
    """Reason of the arbiter's last change of the number of workers."""

    START = 0
    BUSY = 1
    QUEUE = 2
    IDLE = 3
    MEMORY = 4
    SIGNAL = 5


def size() -> int:
    """Bytes of the region."""
    return Counters.size_for(ROWS, len(Gauge))


class MachineState:
    """Plain reads and writes of single numbers; no reader waits for a writer."""

    def __init__(self, arena: Arena) -> None:
        self.rows = Counters(arena, "machine", ROWS, len(Gauge))

    def put(self, row: int, gauge: Gauge, value: int | None) -> None:
        self.rows.set(row, gauge, UNKNOWN if value is None else value)

    def get(self, row: int, gauge: Gauge) -> int | None:
        value = self.rows.get(row, gauge)
        return None if value == UNKNOWN else value

    def share(self, limit: int) -> int:
        """What is left of a limit of open requests, at least 1."""
        share = self.rows.get(CONTROL, Gauge.SHARE)
        return limit if share <= 0 or share >= 1000 else max(1, limit * share // 1000)
