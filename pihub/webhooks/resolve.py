"""Names to addresses for threads that may block: the system's resolver, remembered briefly."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Sequence

from pihub.domain.ports import Resolver
from pihub.domain.public_address import is_public
from pihub.errors import UpstreamUnreachable
from pihub.settings.addresses import in_networks
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


class Guarded:
    """A resolver that gives public addresses only, and those that are allowed by name.

    The connector connects to what it is given and follows no redirect, so what was judged here
    is what is called: a name that is resolved again later is judged again.
    """

    def __init__(self, inner: Resolver, allow: Iterable[str] = ()) -> None:
        """`allow`: host names, addresses and networks."""
        self._inner = inner
        self._names, self._networks = set[str](), list[str]()
        for one in allow:
            try:
                self._networks.append(str(ipaddress.ip_network(one, strict=False)))
            except ValueError:
                self._names.add(one.lower().rstrip("."))

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        """Raises UpstreamUnreachable: for a name with one address that is not allowed, too."""
        found = self._inner.addresses(host)
        if host.lower().rstrip(".") in self._names:
            return found
        for _, address in found:
            if not is_public(address) and not in_networks(address, self._networks):
                raise UpstreamUnreachable(
                    "the target's address is not public: list its host in egress.allow",
                    detail=f"{host}: {address}",
                )
        return found
