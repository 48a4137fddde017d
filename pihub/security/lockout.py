"""Who tried too often: five failures lock for fifteen minutes.

Two counters. One by source: five failures from one address (IPv6: one /64), whatever the
account, lock that source. One by account: five failures from wherever lock the account,
but not for sources from which it has logged in before; so nobody elsewhere can lock the
owner out, and the hub's own socket is never locked.

Unknown accounts are counted like known ones: the answer tells nothing. One process takes
all logins, so the counters hold for all workers. RAM: at most 2 x 4096 entries of some
200 bytes; the oldest is forgotten first.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from pihub.errors import TooManyAttempts

ATTEMPTS = 5
LOCKED = 900.0
MOST = 4096


class _Counter:
    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, name: str, now: float) -> float:
        count, last = self._failures.get(name, (0, 0.0))
        return last + LOCKED - now if count >= ATTEMPTS else 0.0

    def fail(self, name: str, now: float) -> None:
        count, last = self._failures.pop(name, (0, now))
        fresh = 1 if now - last >= LOCKED else count + 1
        self._failures[name] = (fresh, now)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def clear(self, name: str) -> None:
        self._failures.pop(name, None)


class Lockout:
    """Ask `check` before a password is looked at, then tell `failed` or `passed`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sources = _Counter()
        self._accounts = _Counter()

    def check(self, account: str, source: str, *, known: bool) -> None:
        """`known`: this account has logged in from there before. Raises TooManyAttempts."""
        now = self._clock()
        with self._lock:
            wait = self._sources.wait(network(source), now) if source else 0.0
            if not known and source:
                wait = max(wait, self._accounts.wait(account, now))
        if wait > 0:
            raise TooManyAttempts(
                "too many failed attempts: wait, or use the pihub command on the machine itself",
                retry_after=math.ceil(wait),
            )

    def failed(self, account: str, source: str) -> None:
        now = self._clock()
        with self._lock:
            if source:
                self._sources.fail(network(source), now)
            if account:
                self._accounts.fail(account, now)

    def passed(self, account: str, source: str) -> None:
        with self._lock:
            self._sources.clear(network(source))
            self._accounts.clear(account)


def network(source: str) -> str:
    """The address, an IPv6 one cut to its /64: a home has that many."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
