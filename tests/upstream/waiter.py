"""A Waiter on poll(2) and a Resolver on a table, for tests of what waits."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pihub.errors import ClientGone, UpstreamUnreachable

_SLICE = 0.05


class PollWaiter:
    """Blocks the calling thread only; looks at the client every 50 ms."""

    def wait(
        self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1
    ) -> None:
        poller = select.poll()
        poller.register(fd, select.POLLOUT if write else select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            step = min(left, _SLICE) if client_fd >= 0 else left
            if poller.poll(step * 1000 + 1):
                return
            self._check(client_fd)

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            select.select([], [], [], min(left, _SLICE))
            self._check(client_fd)

    def client_fd(self, environ: Mapping[str, Any]) -> int:
        return -1

    def _check(self, client_fd: int) -> None:
        if client_fd < 0:
            return
        poller = select.poll()
        poller.register(client_fd, select.POLLRDHUP)
        if poller.poll(0):
            raise ClientGone("the client closed its connection")


class TableResolver:
    """`table`: host to addresses, or to an exception to raise; else unreachable."""

    def __init__(
        self, table: Mapping[str, Sequence[tuple[int, str]] | Exception] | None = None
    ) -> None:
        self.table = {"localhost": [(socket.AF_INET, "127.0.0.1")], **(table or {})}
        self.asked: list[str] = []

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        self.asked.append(host)
        found = self.table.get(host)
        if found is None:
            raise UpstreamUnreachable("the upstream's name does not resolve")
        if isinstance(found, Exception):
            raise found
        return found
