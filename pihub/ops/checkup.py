"""What `pihub doctor` looks at: one function a question, each with its advice."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from pihub.ops.machine import (
    BEFORE,
    SLOWED,
    UNDER_VOLTAGE,
    Machine,
    Reading,
    device_kind,
    machine,
    read,
)
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.settings.sizes import parse_size
from pihub.settings.workers import bounds
from pihub.upstream.ask import ask_json

Level = Literal["ok", "hint", "bad"]
MB = 1 << 20
WORKER = 16 * MB
"""What a worker costs, and so does control and the arbiter each."""
PATIENCE = 1.0
YEAR_OF_BUILD = 2025


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    what: str
    found: str
    advice: str = ""


def examine(settings: Settings, root: Path = Path("/")) -> list[Finding]:
    """Every check; takes a second or two if something does not answer."""
    board, reading = machine(root), read(root)
    folder = database(settings).parent
    return [
        *hardware(board),
        *memory(board, reading, settings),
        *power(reading, root),
        *storage(folder, root),
        *clock(root),
        *ollama(settings),
    ]


def hardware(board: Machine) -> Iterator[Finding]:
    yield Finding("ok", "machine", f"{board.model}, {board.cores} cores, {board.system}")
    if board.bits != 64:
        yield Finding(
            "bad", "system", "a 32-bit system", "install the 64-bit Raspberry Pi OS: no wheel fits"
        )
    release = tuple(int(n) for n in re.findall(r"\d+", board.kernel)[:2])
    if release < (5, 10):
        yield Finding("hint", "kernel", board.kernel, "older than any tested: upgrade the system")
    else:
        yield Finding("ok", "kernel", f"{board.kernel}, pages of {board.page_size >> 10} KiB")
    yield Finding("ok", "python", ".".join(map(str, sys.version_info[:3])))


def memory(board: Machine, reading: Reading, settings: Settings) -> Iterator[Finding]:
    need = parse_size(settings.cache.size) + (bounds(settings).most + 2) * WORKER
    text = f"{board.memory // MB} MB, the hub takes up to {need // MB} MB"
    if board.memory and need > board.memory // 2:
        yield Finding("bad", "memory", text, "lower cache.size or server.max_workers: pihub init")
    else:
        yield Finding("ok", "memory", text)
    if not board.memory_cgroup:
        yield Finding(
            "hint", "cgroup", "the memory cgroup is off: MemoryMax has no effect",
            "add cgroup_enable=memory to /boot/firmware/cmdline.txt and restart; until then "
            "LimitDATA and the hub's own bounds hold",
        )  # fmt: skip
    if (reading.memory_some or 0) > 10:
        yield Finding(
            "hint", "pressure", f"work waits for memory {reading.memory_some:.0f} % of the time",
            "smaller models, fewer programs, or zram",
        )  # fmt: skip


def power(reading: Reading, root: Path) -> Iterator[Finding]:
    if reading.temperature is not None:
        hot = reading.temperature >= 80
        advice = "give it a fan or a heat sink" if hot else ""
        level: Level = "bad" if hot else "ok"
        yield Finding(level, "temperature", f"{reading.temperature:.0f} °C", advice)
    flags = reading.flags if reading.flags is not None else firmware_flags(root)
    if flags is None:
        return
    if flags & UNDER_VOLTAGE:
        yield Finding(
            "bad", "power", "under-voltage now", "use the power supply made for this board"
        )
    elif flags & UNDER_VOLTAGE << BEFORE:
        yield Finding(
            "hint", "power", "under-voltage since the start", "a stronger supply, a shorter cable"
        )
    else:
        yield Finding("ok", "power", "no under-voltage")
    if flags & SLOWED:
        yield Finding("bad", "throttling", "the processor is slowed down now", "cool it")
    elif flags & SLOWED << BEFORE:
        yield Finding("hint", "throttling", "it was slowed down since the start", "cool it")


def firmware_flags(root: Path) -> int | None:
    """What vcgencmd says, where the kernel has no file for it."""
    if root != Path("/") or (tool := shutil.which("vcgencmd")) is None:
        return None
    try:
        done = subprocess.run(
            [tool, "get_throttled"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"throttled=0x([0-9a-fA-F]+)", done.stdout)
    return int(found[1], 16) if found else None


def storage(folder: Path, root: Path) -> Iterator[Finding]:
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    kind = device_kind(at, root)
    free = shutil.disk_usage(at).free
    text = f"{folder} on {kind or 'a device of unknown kind'}, {free // MB} MB free"
    if not os.access(at, os.W_OK):
        yield Finding(
            "hint", "storage", f"{folder} is not writable for this user",
            "run it as the service's user: sudo -u pihub pihub doctor; on a read-only system "
            "put store.url on a writable one",
        )  # fmt: skip
    elif free < 256 * MB:
        yield Finding("bad", "storage", text, "make room: records can no longer be stored soon")
    elif kind == "SD card":
        yield Finding("hint", "storage", text, "an SSD lives longer; store.flush = 5 spares a card")
    else:
        yield Finding("ok", "storage", text)


def clock(root: Path) -> Iterator[Finding]:
    """A Pi has no clock of its own: TLS and budgets need the network's."""
    if time.gmtime().tm_year < YEAR_OF_BUILD:
        yield Finding("bad", "clock", time.strftime("%Y-%m-%d"), "set it: TLS will fail")
        return
    synced = root / "run/systemd/timesync/synchronized"
    other = any((root / name).exists() for name in ("run/chrony", "run/ntpd.pid"))
    if synced.exists() or other or not (root / "run/systemd/system").exists():
        yield Finding("ok", "clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    else:
        yield Finding("hint", "clock", "not synchronized", "timedatectl set-ntp true")


def ollama(settings: Settings) -> Iterator[Finding]:
    """Reachable, and not open to everybody on the network."""
    for name, upstream in settings.upstreams.items():
        if upstream.kind != "ollama" or upstream.simulated:
            continue
        parts = urlsplit(upstream.url)
        here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        try:
            said = ask_json(f"{upstream.url}/api/version", timeout=PATIENCE)
            version = said.get("version", "?")
        except (OSError, ValueError, AttributeError):
            advice = "systemctl start ollama" if here else (
                "is that machine on, and does its Ollama listen beyond itself (OLLAMA_HOST there)?"
            )  # fmt: skip
            yield Finding("bad", name, f"nothing answers at {upstream.url}", advice)
            continue
        address = own_address()
        if here and address:
            port = parts.port or 11434
            if listens(address, port):
                yield Finding(
                    "bad", name, f"version {version}, open to the network at {address}:{port}",
                    "anybody there can use and delete models past the hub: "
                    "set OLLAMA_HOST=127.0.0.1 for its service",
                )  # fmt: skip
                continue
        yield Finding("ok", name, f"version {version} at {upstream.url}")


def own_address() -> str:
    """This machine's address on the network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: chooses an interface, no more
        except OSError:
            return ""
        found: str = probe.getsockname()[0]
        return found


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), PATIENCE).close()
    except OSError:
        return False
    return True
