"""How many workers there should be: more under load, fewer when idle or short of memory.

Hysteresis: a worker is added when all of them together are busier than BUSY for a while,
or connections wait to be accepted; one is taken away only if the rest would still be less
busy than IDLE, for a longer while. After each change the measure starts anew.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pihub.shared.machine import Why

BUSY = 0.70
IDLE = 0.40
QUEUE = 2
"""Waiting connections a worker that count as busy."""
SCARCE = 0.10
"""Share of memory that must be available for another worker."""
SHORT = 0.05
"""Below this share one is taken away at once."""
_TICKS = 100
"""USER_HZ, which is 100 on every Linux that there are wheels for."""
_UNACKED = 24
"""Offset of tcpi_unacked in struct tcp_info: of a listener, its accept queue (tcp(7))."""


@dataclass(frozen=True)
class Load:
    """One second of all workers."""

    workers: int
    busy: float
    """CPU seconds a second and worker, 0 to 1."""
    queued: int
    available: float
    """Share of the memory that can be had."""


class Scaler:
    """Bounds, and how long a load must last before it counts, in seconds."""

    def __init__(self, least: int, most: int, up_after: float, down_after: float) -> None:
        self.least = least
        self.most = most
        self._up_after = up_after
        self._down_after = down_after
        self._busy_since: float | None = None
        self._idle_since: float | None = None

    @property
    def active(self) -> bool:
        return self.most > self.least

    def decide(self, now: float, load: Load) -> tuple[int, Why] | None:
        """The new number of workers and why; None to leave it. Call it about each second."""
        n = load.workers
        if load.available < SHORT and n > self.least:
            self.begin_anew()
            return n - 1, Why.MEMORY
        queue = load.queued >= QUEUE * n
        busy = (queue or load.busy > BUSY) and n < self.most and load.available > SCARCE
        idle = not queue and n > self.least and load.busy * n / max(1, n - 1) < IDLE
        self._busy_since = (self._busy_since or now) if busy else None
        self._idle_since = (self._idle_since or now) if idle else None
        if self._busy_since is not None and now - self._busy_since >= self._up_after:
            self.begin_anew()
            return n + 1, Why.QUEUE if queue else Why.BUSY
        if self._idle_since is not None and now - self._idle_since >= self._down_after:
            self.begin_anew()
            return n - 1, Why.IDLE
        return None

    def begin_anew(self) -> None:
        """What was measured was of another number of workers."""
        self._busy_since = self._idle_since = None


class Gauge:
    """Measures the load between two looks; about 0.1 ms. All files are in /proc."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = root
        self._cpu: dict[int, int] = {}
        self._at = 0.0

    def look(self, now: float, pids: Sequence[int], listeners: Iterable[socket.socket]) -> Load:
        """The first look has no time before it and finds nobody busy."""
        cpu = {pid: self._ticks(pid) for pid in pids}
        past = now - self._at
        used = sum(count - self._cpu.get(pid, count) for pid, count in cpu.items())
        busy = used / _TICKS / past / max(1, len(pids)) if self._cpu and past > 0 else 0.0
        self._cpu, self._at = cpu, now
        return Load(len(pids), busy, sum(map(queued, listeners)), self._available())

    def _ticks(self, pid: int) -> int:
        try:
            # The name in parentheses may hold anything; user and system time are 14 and 15.
            fields = (self._root / str(pid) / "stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
        except (OSError, ValueError, IndexError):
            return self._cpu.get(pid, 0)

    def _available(self) -> float:
        try:
            text = (self._root / "meminfo").read_text()
        except OSError:
            return 1.0
        found = dict(re.findall(r"^(MemTotal|MemAvailable): +(\d+)", text, re.MULTILINE))
        return int(found.get("MemAvailable", 1)) / max(1, int(found.get("MemTotal", 1)))


def queued(listener: socket.socket) -> int:
    """Connections that wait to be accepted; 0 for what is no TCP socket.

    Also 0 where the kernel tells less than tcp(7) says, as qemu's user emulation does.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return 0
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED + 4)
    except OSError:
        return 0
    if len(info) < _UNACKED + 4:
        return 0
    waiting: int = struct.unpack_from("=I", info, _UNACKED)[0]
    return waiting
