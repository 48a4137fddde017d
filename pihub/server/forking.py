"""fork() without lost signals and without a way back into the arbiter's code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from pihub.errors import StartupError

BOOT_ERROR = 3
"""Exit status of a process that refuses to start (gunicorn's WORKER_BOOT_ERROR)."""

log = logging.getLogger("pihub.server")


def fork() -> int:
    """As os.fork; in the child all signals stay blocked until it has its own handlers.

    A TERM that came in between would run the arbiter's handler in the child and be lost.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid != 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    return pid


def run_child(body: Callable[[], None]) -> NoReturn:
    """Run `body` and end the process; never returns or raises into the arbiter's stack."""
    status = 1
    try:
        body()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except StartupError as error:
        log.error("%s", error.message)
        status = BOOT_ERROR
    except BaseException:
        log.exception("the process failed")
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                continue
        # not sys.exit: the arbiter's atexit handlers and threads are not this process's
        os._exit(status)
