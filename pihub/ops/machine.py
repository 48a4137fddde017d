"""What kind of machine this is and how it fares, from /proc and /sys alone.

Every reading may be missing (a PC has no firmware that throttles): then it is None.
Sources: the Raspberry Pi firmware's get_throttled bits (raspberrypi.com/documentation,
"vcgencmd"), Documentation/accounting/psi.rst and admin-guide/iostats.rst of Linux.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

THROTTLED_FILES = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
    "sys/devices/platform/axi/soc:firmware/get_throttled",
)
UNDER_VOLTAGE = 1 << 0
CAPPED = 1 << 1
THROTTLED = 1 << 2
SOFT_LIMIT = 1 << 3
SLOWED = CAPPED | THROTTLED | SOFT_LIMIT
"""Whatever the cause, the processor runs slower than it could."""
BEFORE = 16
"""The same bits this many places higher: it has happened since the machine started."""
SECTOR = 512
"""Bytes of a sector in the kernel's statistics, whatever the device's own are."""


@dataclass(frozen=True)
class Machine:
    """What does not change while the machine runs."""

    model: str
    memory: int
    """Bytes of RAM."""
    cores: int
    page_size: int
    kernel: str
    bits: int
    """Of the Python that runs, not of the kernel."""
    memory_cgroup: bool
    """Whether a service's MemoryMax has any effect."""
    system: str
    """The distribution's name for itself."""


@dataclass(frozen=True)
class Reading:
    """What changes. Percentages are of wall time, averaged over ten seconds."""

    temperature: float | None = None
    """Degrees Celsius of the hottest zone."""
    flags: int | None = None
    """The firmware's get_throttled bits."""
    available: int | None = None
    """Bytes of RAM that can be had without swapping."""
    memory_some: float | None = None
    memory_full: float | None = None
    cpu_some: float | None = None
    io_some: float | None = None

    @property
    def throttled(self) -> bool:
        return bool((self.flags or 0) & SLOWED)

    @property
    def under_voltage(self) -> bool:
        return bool((self.flags or 0) & UNDER_VOLTAGE)


def machine(root: Path = Path("/")) -> Machine:
    """Never fails: what cannot be read gets a neutral value."""
    model = _text(root / "proc/device-tree/model").rstrip("\0 \n")
    if not model:
        product = _text(root / "sys/class/dmi/id/product_name").strip()
        model = product or platform.machine()
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release"), re.MULTILINE)
    return Machine(
        model=model,
        memory=_meminfo(root).get("MemTotal", 0),
        cores=len(os.sched_getaffinity(0)),
        page_size=os.sysconf("SC_PAGESIZE"),
        kernel=platform.release(),
        bits=64 if platform.architecture()[0] == "64bit" else 32,
        memory_cgroup="memory" in _text(root / "sys/fs/cgroup/cgroup.controllers").split()
        or (root / "sys/fs/cgroup/memory").is_dir(),
        system=found[1] if found else "",
    )


def read(root: Path = Path("/")) -> Reading:
    """One look; about 0.2 ms. Blocks on files: not for a worker."""
    memory = _pressure(root, "memory")
    return Reading(
        temperature=_temperature(root),
        flags=_flags(root),
        available=_meminfo(root).get("MemAvailable"),
        memory_some=memory.get("some"),
        memory_full=memory.get("full"),
        cpu_some=_pressure(root, "cpu").get("some"),
        io_some=_pressure(root, "io").get("some"),
    )


def written_by(pids: list[int], root: Path = Path("/")) -> dict[int, int]:
    """Bytes that each process caused to be sent to storage (proc(5), write_bytes)."""
    found = {}
    for pid in pids:
        text = _text(root / f"proc/{pid}/io")
        if counted := re.search(r"^write_bytes: (\d+)", text, re.MULTILINE):
            found[pid] = int(counted[1])
    return found


def device_written(folder: Path, root: Path = Path("/")) -> int | None:
    """Bytes written since the machine's start to the device that holds `folder`."""
    name = device_of(folder)
    for line in _text(root / "proc/diskstats").splitlines():
        fields = line.split()
        if len(fields) > 9 and f"{fields[0]}:{fields[1]}" == name:
            return int(fields[9]) * SECTOR
    return None


def device_of(folder: Path) -> str:
    """MAJOR:MINOR of the device that holds the nearest existing parent."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    number = folder.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def device_kind(folder: Path, root: Path = Path("/")) -> str:
    """ "SD card", "SSD", "disk", or "" for what is none (a RAM disk, a network)."""
    at = root / "sys/dev/block" / device_of(folder)
    try:
        real = at.resolve(strict=True)
    except OSError:
        return ""
    if "mmcblk" in str(real):
        return "SD card"
    for place in (real, real.parent):
        if turning := _text(place / "queue/rotational").strip():
            return "disk" if turning == "1" else "SSD"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _meminfo(root: Path) -> dict[str, int]:
    found = re.findall(r"^(\w+): +(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    return {name: int(value) * 1024 for name, value in found}


def _pressure(root: Path, kind: str) -> dict[str, float]:
    text = _text(root / "proc/pressure" / kind)
    found = re.findall(r"^(some|full) avg10=([\d.]+)", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def _temperature(root: Path) -> float | None:
    values = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp")):
        text = _text(zone).strip()
        if re.fullmatch(r"-?\d+", text):
            values.append(int(text) / 1000)
    return max(values, default=None)


def _flags(root: Path) -> int | None:
    for name in THROTTLED_FILES:
        text = _text(root / name).strip()
        if re.fullmatch(r"(?:0x)?[0-9a-fA-F]+", text):
            return int(text, 16)
    # Without the firmware's file: the Pi's own voltage monitor.
    for alarm in sorted((root / "sys/class/hwmon").glob("hwmon*/in0_lcrit_alarm")):
        if _text(alarm.parent / "name").strip() == "rpi_volt":
            return UNDER_VOLTAGE if _text(alarm).strip() == "1" else 0
    return None
