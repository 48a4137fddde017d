"""Who tried too often: five failures lock for fifteen minutes.

Two counters. One by source: five failures from one address (IPv6: one /64), whatever the
account, lock that source. One by account: five failures from wherever lock the account,
but not for sources from which it has logged in before; so nobody elsewhere can lock the
owner out, and the hub's own socket is never locked.

Unknown accounts are counted like known ones: the answer tells nothing. One process takes
all logins, so the counters hold for all workers; they lie in the shared arena as well, so that
a control process that starts again goes on with them. Names are kept as digests of 12 bytes.
RAM: at most 2 x 4096 entries of some 200 bytes, and 30 bytes each in the arena; the oldest is
forgotten first.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from pihub.errors import TooManyAttempts

ATTEMPTS = 5
LOCKED = 900.0
MOST = 4096
Rows = list[tuple[bytes, int, float]]
"""(digest of the name, failures, when the last was), the oldest first."""


class Refusal(NamedTuple):
    """One that is worth a line of a log."""

    locked: Literal["source", "account"]
    """What the lock lies on."""
    refused: int
    """How many it has refused by now."""


class Kept(Protocol):
    """`_core.board.Board`, which outlives the process."""

    def publish(self, data: bytes, /) -> int: ...
    def read(self) -> tuple[int, bytes]: ...


class _Counter:
    def __init__(self, rows: Rows) -> None:
        self._failures = OrderedDict((name, (count, last)) for name, count, last in rows)
        self._refused: dict[bytes, int] = {}
        """While locked; of names in `_failures`."""

    def rows(self) -> Rows:
        return [(name, count, last) for name, (count, last) in self._failures.items()]

    def wait(self, name: str, now: float) -> float:
        count, last = self._failures.get(_digest(name), (0, 0.0))
        return last + LOCKED - now if count >= ATTEMPTS else 0.0

    def fail(self, name: str, now: float) -> None:
        key = _digest(name)
        count, last = self._failures.pop(key, (0, now))
        fresh = 1 if now - last >= LOCKED else count + 1
        if fresh == 1:
            self._refused.pop(key, None)
        self._failures[key] = (fresh, now)
        while len(self._failures) > MOST:
            self._refused.pop(self._failures.popitem(last=False)[0], None)

    def refuse(self, name: str) -> int:
        """How often this lock has refused by now."""
        key = _digest(name)
        self._refused[key] = self._refused.get(key, 0) + 1
        return self._refused[key]

    def clear(self, name: str) -> bool:
        """Whether there was something to forget."""
        key = _digest(name)
        self._refused.pop(key, None)
        return self._failures.pop(key, None) is not None


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=12).digest()


class Lockout:
    """Ask `check` before a password is looked at, then tell `failed` or `passed`."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, kept: Kept | None = None
    ) -> None:
        """`clock`: CLOCK_MONOTONIC, which goes on while processes come and go."""
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = kept
        found: list[Rows] = [[], []]
        if kept is not None and (data := kept.read()[1]):
            found = msgspec.msgpack.decode(data, type=list[Rows])
        self._sources, self._accounts = map(_Counter, found)

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

    def refused(self, account: str, source: str) -> Refusal | None:
        """Counts what `check` has just refused. Only a lock's first, tenth, hundredth and so on
        is told: nobody fills a log by going on."""
        now, name = self._clock(), network(source)
        with self._lock:
            if self._sources.wait(name, now) > 0:
                told = Refusal("source", self._sources.refuse(name))
            elif self._accounts.wait(account, now) > 0:
                told = Refusal("account", self._accounts.refuse(account))
            else:
                return None
        return told if str(told.refused).rstrip("0") == "1" else None

    def failed(self, account: str, source: str) -> None:
        now = self._clock()
        with self._lock:
            if source:
                self._sources.fail(network(source), now)
            if account:
                self._accounts.fail(account, now)
            self._keep()

    def passed(self, account: str, source: str) -> None:
        with self._lock:
            known = self._sources.clear(network(source))
            if self._accounts.clear(account) or known:
                self._keep()

    def _keep(self) -> None:
        if self._kept is not None:
            rows = [self._sources.rows(), self._accounts.rows()]
            self._kept.publish(msgspec.msgpack.encode(rows))


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
