"""The control process: signals in, a stop event out; what it does is the hub's."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading

from pihub.server.children import CONTROL_SLOT
from pihub.server.kernel import Kernel
from pihub.server.ports import Hub

STOP_BOUND = 10.0
"""Seconds that the hub has for its last commits once it is asked to stop."""

log = logging.getLogger("pihub.server")


def control_main(hub: Hub, listener: socket.socket, kernel: Kernel, ppid: int) -> None:
    """Body of the control process after fork; returns when it may exit.

    Signals arrive through a wake-up pipe and a thread, not in a Python handler: a
    handler that sets an Event while the main thread holds its lock would deadlock.
    """
    kernel.die_with_parent(signal.SIGTERM)
    if os.getppid() != ppid:
        return
    stop = threading.Event()
    receive, send = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(receive, True)
    signal.set_wakeup_fd(send, warn_on_full_buffer=False)
    for signum in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(signum, _ignore)
    # an interrupt from the terminal is the arbiter's business
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # before the unblocking, so that the thread and no other waits for the pipe
    threading.Thread(target=_watch, args=(receive, stop), name="signals", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    hub.state.arena.claim_slot(CONTROL_SLOT, os.getpid())
    hub.control_run(CONTROL_SLOT, listener, stop)
    if not stop.is_set():
        log.error("the control process ended without being asked to")
        raise SystemExit(1)


def _ignore(signum: int, frame: object) -> None:
    """The wake-up pipe has already got the number."""


def _watch(receive: int, stop: threading.Event) -> None:
    while os.read(receive, 1)[0] not in (signal.SIGTERM, signal.SIGQUIT):
        continue
    stop.set()
    # An orphan has no arbiter to kill it when its last commits hang.
    timer = threading.Timer(STOP_BOUND + 1.0, _give_up)
    timer.daemon = True
    timer.start()


def _give_up() -> None:
    log.error("the control process did not stop within %.0f s", STOP_BOUND)
    os._exit(1)
