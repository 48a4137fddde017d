"""The blocking waiter: one poll(2) for each wait, for engines with threads."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from pihub.errors import ClientGone

GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL
LONGEST = 3600.0
"""Seconds; poll(2) takes an int of ms, longer waits (also endless ones) are cut."""


class PollWaiter:
    """`domain.ports.Waiter` for ordinary threads: waits block the calling thread.

    The client's descriptor is watched in the same poll, so its leaving ends the wait
    at once. A client that shuts down only its sending side counts as gone: HTTP
    clients that still want the answer do not do that (nginx judges alike).
    """

    def wait(self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1) -> None:
        poller = select.poll()
        poller.register(fd, select.POLLOUT if write else select.POLLIN)
        if client_fd >= 0:
            poller.register(client_fd, select.POLLRDHUP)
        while True:
            left = deadline - time.monotonic()
            events = poller.poll(_milliseconds(left))
            gone = False
            for ready, mask in events:
                if ready == fd:
                    return
                gone = gone or bool(mask & GONE)
            if gone:
                raise ClientGone("the client closed its connection")
            if left <= 0:
                raise TimeoutError("the wait's deadline has passed")

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        poller = select.poll()
        if client_fd >= 0:
            poller.register(client_fd, select.POLLRDHUP)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if poller.poll(_milliseconds(left)):
                raise ClientGone("the client closed its connection")

    def spawn(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="beside", daemon=True).start()

    def client_fd(self, environ: Mapping[str, Any]) -> int:
        """gunicorn leaves the client's socket in the environ."""
        sock = environ.get("gunicorn.socket")
        if sock is None:
            return -1
        fd = sock.fileno()
        return fd if isinstance(fd, int) else -1


def _milliseconds(left: float) -> int:
    """Rounded up: a poll that ends just before the deadline would spin until it."""
    return ceil(min(max(left, 0.0), LONGEST) * 1000)
