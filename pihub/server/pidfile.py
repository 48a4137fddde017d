"""The pid file: one hub per run directory, proved by a lock and not by a number.

The lock is a POSIX record lock: the kernel drops it when the process ends, however it
ends, and children do not inherit it. So a stale file after a power cut, whose number
now belongs to some other program, never keeps the hub from starting.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pihub.errors import StartupError


class PidFile:
    """`path` holds the pid and a newline while the lock is held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """Raises StartupError when another process holds the lock."""
        fd = self._lock()
        while not self._is_current(fd):  # a hub that ended meanwhile removed this file
            os.close(fd)
            fd = self._lock()
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def _lock(self) -> int:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StartupError(
                f"A hub already runs with the run directory {self.path.parent} (pid {owner}). "
                "Stop it first, or give this one another server.run_dir and server.listen."
            ) from error
        return fd

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """At a regular end; without effect if the lock is not held."""
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1
