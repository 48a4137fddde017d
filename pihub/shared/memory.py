"""Memory that runs short: the cache gives way first, then new requests are refused.

`MemoryManager.step()` is called by the control process every few seconds. It looks at three
things, whichever the machine has: how close the service's cgroup (v2) is to its
`memory.high` or `memory.max`, what /proc/meminfo says is available, and how long tasks stood
still for want of memory (PSI, `full avg10`). Short of memory, it takes one step down:

    room of the cache   1000  700  400  100  thousandths, pages given back to the system
    then                admissions: new requests get 503 until a step up

A step up follows after `CALM` looks in a row that had enough. What was shed is logged and
counted (`shed_bytes`, `steps`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pihub._core.cache import Cache

log = logging.getLogger("pihub.memory")

LADDER = (1000, 700, 400, 100, 50)
"""The cache's room in thousandths; at the last step new requests are refused."""
REFUSES = 50
NEAR = 0.95
"""Share of the cgroup's limit from which on memory is short."""
LEAST_AVAILABLE = 0.04
"""Of the machine's memory; the kernel begins to thrash below."""
STALLED = 10.0
"""PSI: per cent of the last ten seconds in which all tasks waited for memory."""
CALM = 6
EVERY = 5.0


@dataclass(frozen=True)
class Reading:
    """What the kernel says; None where this machine does not."""

    used_share: float | None = None
    """Of the cgroup's memory.high, or memory.max."""
    available_share: float | None = None
    stalled: float | None = None

    def why(self) -> str:
        """Why memory is short; "" if it is not."""
        if self.used_share is not None and self.used_share > NEAR:
            return f"the service uses {self.used_share:.0%} of its memory limit"
        if self.available_share is not None and self.available_share < LEAST_AVAILABLE:
            return f"{self.available_share:.1%} of the machine's memory is available"
        if self.stalled is not None and self.stalled > STALLED:
            return f"tasks stood still {self.stalled:.0f} % of the time for want of memory"
        return ""


def read(root: Path = Path("/")) -> Reading:
    """`root` is another folder in tests. Never raises: what cannot be read is None."""
    group = _text(root / "proc/self/cgroup")
    at = next((line[3:] for line in group.splitlines() if line.startswith("0::")), "")
    folder = root / "sys/fs/cgroup" / at.lstrip("/")
    limits = [_number(_text(folder / name)) for name in ("memory.high", "memory.max")]
    limit = min((n for n in limits if n), default=None)
    current = _number(_text(folder / "memory.current"))
    fields = dict(
        line.split(":", 1) for line in _text(root / "proc/meminfo").splitlines() if ":" in line
    )
    total, available = (
        _number(fields.get(name, "").removesuffix("kB")) for name in ("MemTotal", "MemAvailable")
    )
    pressure = _text(folder / "memory.pressure") or _text(root / "proc/pressure/memory")
    return Reading(
        used_share=current / limit if current is not None and limit else None,
        available_share=available / total if available is not None and total else None,
        stalled=_stalled(pressure),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() else None


def _stalled(text: str) -> float | None:
    for line in text.splitlines():
        if line.startswith("full "):
            for part in line.split():
                name, _, value = part.partition("=")
                if name == "avg10":
                    try:
                        return float(value)
                    except ValueError:
                        return None
    return None


class MemoryManager:
    """Steps down while memory is short, up when it is not. One process runs it."""

    def __init__(self, cache: Cache, root: Path = Path("/")) -> None:
        self._cache = cache
        self._root = root
        self._calm = 0
        self.shed_bytes = 0
        """Given back to the system so far."""
        self.steps = 0
        """Steps down so far."""
        self.why = ""
        """Why memory is short now; "" if it is not."""

    def step(self) -> None:
        """One look, every `EVERY` seconds."""
        self.why = read(self._root).why()
        room = self._cache.room()
        if not self.why:
            self._calm += 1
            above = [step for step in LADDER if step > room]
            if self._calm >= CALM and above:
                self._calm = 0
                self._cache.set_room(above[-1])
                log.info("memory suffices again: the cache may use %.0f %%", above[-1] / 10)
            return
        self._calm = 0
        below = [step for step in LADDER if step < room]
        if not below:
            return
        self.steps += 1
        self._cache.set_room(below[0])
        freed = self._cache.trim()
        self.shed_bytes += freed
        log.warning(
            "memory is short (%s): the cache goes down to %.0f %%, %d KiB given back%s",
            self.why,
            below[0] / 10,
            freed // 1024,
            "; new requests are refused" if below[0] <= REFUSES else "",
        )


def refuses(cache: Cache) -> bool:
    """Whether new requests are to be refused for want of memory."""
    return cache.room() <= REFUSES
