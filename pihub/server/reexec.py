"""Replace the arbiter's program image in place: same pid, same children."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import Any

from gunicorn import systemd

from pihub.server.handover import VARIABLE, Handover

log = logging.getLogger("pihub.server")

HELD = frozenset(
    {
        signal.SIGHUP,
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGCHLD,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
    }
)
"""exec resets handlers to their defaults, and the default of SIGHUP is death: these
stay blocked, and pending, until the new image has installed its own."""


def reexecute(handover: Handover, gunicorn_log: Any) -> None:
    """Returns only when the exec failed; the arbiter then goes on unchanged."""
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    environ = dict(os.environ)
    environ[VARIABLE] = handover.encode()
    # the interpreter by its full path: a bare argv[0] would be looked up in PATH
    command = [sys.executable, *sys.orig_argv[1:]]
    usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    systemd.sd_notify(f"RELOADING=1\nMONOTONIC_USEC={usec}", gunicorn_log)
    try:
        for fd in handover.fds():
            os.set_inheritable(fd, True)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environ)  # noqa: S606 - that is the point
    except OSError as error:
        for fd in handover.fds():
            os.set_inheritable(fd, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
        log.error("reload failed, the hub goes on as before: %s", error.strerror)
