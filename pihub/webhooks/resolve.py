"""Names to addresses for threads that may block: the system's resolver, remembered briefly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence

from pihub.errors import UpstreamUnreachable
from pihub.shared.dns import literal

KEEP = 30.0
MOST = 256
"""Names that are remembered."""


class SystemResolver:
    """domain.ports.Resolver for the control process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, list[tuple[int, str]]]] = {}

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        """See domain.ports.Resolver."""
        numeric = literal(host)
        if numeric:
            return numeric
        now = time.monotonic()
        with self._lock:
            until, found = self._known.get(host, (0.0, []))
        if now < until:
            return found
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UpstreamUnreachable(
                "the target's host name does not resolve", detail=f"{host}: {error}"
            ) from error
        found = list(dict.fromkeys((int(one[0]), str(one[4][0])) for one in answers))
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[host] = now + KEEP, found
        return found
