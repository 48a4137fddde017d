"""Compiler and linker flags by target machine, for setup.py (stdlib only).

The target is the machine in _PYTHON_HOST_PLATFORM (set by cross builds), else this one.
A wheel's baseline is armv8-a: Cortex-A53 (Pi 3), A72 (Pi 4) and A76 (Pi 5) alike. The LSE
atomics of the A76 are chosen at run time (-moutline-atomics, gcc >= 10); an inlined one
would die with SIGILL on a Pi 3 or 4. No -march=native and no +crypto: the Pi 3 and 4 have
no AES, and emulators that claim it hide the mistake.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

SUPPORTED = ("aarch64", "x86_64")
_ALIASES = {"arm64": "aarch64", "amd64": "x86_64"}

COMMON = ("-std=gnu11", "-fsigned-char", "-fno-strict-aliasing", "-fvisibility=hidden")
"""`char` is unsigned on ARM and signed on x86: make both the same."""
HARDEN_LINK = ("-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack")

CFLAGS = {
    "aarch64": ("-march=armv8-a+crc", "-mtune=cortex-a72", "-moutline-atomics"),
    "x86_64": ("-march=x86-64", "-mtune=generic"),
}
LDFLAGS = {
    "aarch64": ("-Wl,--fix-cortex-a53-843419", "-Wl,-z,max-page-size=65536"),
    "x86_64": (),
}
"""Page size: kernels of the Pi 5 use 16 KiB pages, some distributions 64 KiB."""

MODES = {
    "release": ("-O2", "-g0", "-DNDEBUG"),
    "debug": ("-O0", "-g3", "-UNDEBUG", "-DPH_DEBUG=1"),
    "trace": (
        "-O0", "-g1", "-UNDEBUG", "-DCYTHON_TRACE_NOGIL=1", "-DCYTHON_USE_SYS_MONITORING=0",
    ),
    "asan": (
        "-O1", "-g3", "-UNDEBUG", "-DPH_DEBUG=1", "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
    ),
}  # fmt: skip


def machine(env: Mapping[str, str] | None = None) -> str:
    """The target as uname -m names it. Raises ValueError for one that is not supported."""
    env = os.environ if env is None else env
    host = env.get("_PYTHON_HOST_PLATFORM", "")
    name = host.rpartition("-")[2] if host else platform.machine()
    name = _ALIASES.get(name.lower(), name.lower())
    if name not in SUPPORTED:
        raise ValueError(
            f"pihub needs a 64-bit machine ({' or '.join(SUPPORTED)}), not {name!r}: "
            "its shared memory relies on lock-free 64-bit atomics"
        )
    return name


def flags(mode: str = "release", target: str | None = None) -> tuple[list[str], list[str]]:
    """(compiler flags, linker flags) for a build mode. Raises ValueError for unknown ones."""
    if mode not in MODES:
        raise ValueError(f"PIHUB_BUILD={mode!r}: must be one of {', '.join(MODES)}")
    target = machine() if target is None else target
    if target not in CFLAGS:
        raise ValueError(f"unknown machine {target!r}")
    link = [*HARDEN_LINK, *LDFLAGS[target]]
    if mode == "release" and os.environ.get("PIHUB_SYMBOLS") != "1":
        link.append("-s")  # symbol tables are half of a small extension
    if mode == "asan":
        link.append("-fsanitize=address,undefined")
    return [*COMMON, *CFLAGS[target], *MODES[mode]], link
