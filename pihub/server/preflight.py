"""The check before a reload: the new code and configuration, tried in a process apart."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

TIMEOUT = 30.0
OUTPUT = 4000
"""Characters of the check's output that go into the log."""


class Preflight:
    """One run of the check command, watched by the arbiter's loop.

    Started with posix_spawn and reaped by the arbiter's waitpid, because subprocess
    would take the exit status of a child that somebody else reaped for a success.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._output = os.memfd_create("preflight", os.MFD_CLOEXEC)
        self.deadline = time.monotonic() + TIMEOUT
        self.pid = os.posix_spawn(
            command[0],
            list(command),
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, self._output, 1),
                (os.POSIX_SPAWN_DUP2, self._output, 2),
            ],
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )

    def kill(self) -> None:
        """After the deadline; the end is then reported as any other."""
        os.kill(self.pid, signal.SIGKILL)

    def failure(self, status: int) -> str | None:
        """None if the check passed, else why not. `status` is waitpid's. Call once."""
        code = os.waitstatus_to_exitcode(status)
        size = os.fstat(self._output).st_size
        text = os.pread(self._output, OUTPUT, max(size - OUTPUT, 0)).decode("utf-8", "replace")
        os.close(self._output)
        if code == 0:
            return None
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        return f"the check failed ({how}): {text.strip() or 'no output'}"
