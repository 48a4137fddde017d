"""Looks up the upstreams' names off the workers' loops, and keeps the last good answer."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable

from pihub.shared.dns import Addresses, Lookup, Published, decode, encode, literal

log = logging.getLogger("pihub.dns")

REFRESH = 30.0
"""Seconds between look-ups of a name that resolves."""
RETRY = 2.0
"""Seconds until a failed look-up is tried again."""
THREADS = 4
"""Look-ups at once; a name server that does not answer holds one for up to 30 s."""


def system_lookup(host: str) -> Addresses:
    """The system's resolver, in its order of preference. Raises OSError."""
    seen: Addresses = []
    for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        item = (int(family), str(address[0]))
        if family in (socket.AF_INET, socket.AF_INET6) and item not in seen:
            seen.append(item)
    return seen


class DnsPublisher:
    """Refreshes `hosts` for ever and publishes each change to the workers."""

    def __init__(
        self,
        board: Published,
        hosts: Iterable[str],
        *,
        refresh: float = REFRESH,
        retry: float = RETRY,
        lookup: Callable[[str], Addresses] = system_lookup,
    ) -> None:
        self._board = board
        self._refresh = refresh
        self._retry = retry
        self._lookup = lookup
        self._lock = threading.Lock()
        # An earlier control process may have left answers: better than none.
        known = decode(board.read()[1])
        self._hosts: dict[str, Lookup] = {}
        for host in sorted({host.lower() for host in hosts}):
            numeric = literal(host)
            self._hosts[host] = Lookup(numeric) if numeric else known.get(host, Lookup())
        self._names = [host for host in self._hosts if not literal(host)]
        self._board.publish(encode(self._hosts))

    def threads(self, stop: threading.Event) -> list[threading.Thread]:
        """Not yet started; they end within a look-up of `stop`."""
        count = min(THREADS, len(self._names))
        return [
            threading.Thread(
                target=self._run, args=(self._names[i::count], stop), name=f"dns-{i}", daemon=True
            )
            for i in range(count)
        ]

    def resolve(self, host: str) -> bool:
        """Look one name up and publish what changed; whether it has an address now."""
        try:
            addresses, error = self._lookup(host), ""
            if not addresses:
                error = "no address"
        except (OSError, UnicodeError) as fault:  # a name that IDNA cannot encode
            addresses, error = [], str(fault)
        with self._lock:
            old = self._hosts[host]
            if error and error != old.error:
                log.warning("look-up of %s failed: %s", host, error)
            new = Lookup(addresses or old.addresses, error)
            if (new.addresses, new.error) != (old.addresses, old.error):
                self._hosts[host] = new
                self._board.publish(encode(self._hosts))
        return not error

    def _run(self, hosts: list[str], stop: threading.Event) -> None:
        due = dict.fromkeys(hosts, 0.0)
        while not stop.is_set():
            now = time.monotonic()
            for host in hosts:
                if due[host] <= now and not stop.is_set():
                    wait = self._refresh if self.resolve(host) else self._retry
                    due[host] = time.monotonic() + wait
            stop.wait(max(0.05, min(due.values()) - time.monotonic()))
