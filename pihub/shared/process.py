"""Another process of this machine, as proc(5) tells of it.

By hand: psutil is 1 MB of every hub, and these are two numbers.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

START = 19
"""starttime, counted from what follows the name in /proc/PID/stat: the 22nd field, in ticks."""


def resident(pid: int) -> int | None:
    """Bytes of memory, pages shared with others included; None if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def age(pid: int) -> float | None:
    """Seconds since it was started; None if it is gone."""
    try:
        # The name stands in parentheses and may hold anything, these too.
        rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(rest[START])
    except (OSError, IndexError):
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
