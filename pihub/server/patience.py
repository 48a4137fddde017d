"""How long the gthread engine waits for a client, and how many connections a source may have.

gunicorn's threads read a head and a body without a bound in time: one byte a minute would hold
a thread for ever. Here each read of a request's bytes waits until the deadline of its part.
The limits are those of the meinheld port (deploy/meinheld/src): a head has so many seconds
from its first byte, a body so many plus one for each KiB that came.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

BODY_RATE = 1024
"""Bytes a second that a body must keep up."""


class Patience(NamedTuple):
    """Seconds."""

    head: int
    body: int
    write: int


class TooSlow(BaseException):
    """The client took longer than it may for its head or body. No Exception: what reads a body
    takes those for a client that left, and there is still a 408 to send."""


class PatientSocket:
    """What the parser reads from: a socket whose reads end with TooSlow at the deadline."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience
        self._in_body = False
        self._draining = False
        self._came = 0
        self.head_begins()

    def head_begins(self) -> None:
        self._deadline = monotonic() + self._patience.head
        self._in_body = self._draining = False

    def body_begins(self) -> None:
        self._deadline = monotonic() + self._patience.body
        self._in_body = True
        self._came = 0

    def rest_begins(self) -> None:
        """What nobody read is read and dropped: a slow client is no error there."""
        self._draining = True

    def recv(self, size: int) -> bytes:
        """Raises TooSlow (TimeoutError for the rest) and OSError."""
        left = self._deadline - monotonic()
        if self._in_body:
            left += self._came / BODY_RATE
        bound = self._sock.gettimeout()
        if self._draining and bound is not None:
            left = min(left, bound)
        try:
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            data = self._sock.recv(size)
        except TimeoutError:
            if self._draining:
                raise
            raise TooSlow from None
        finally:
            # Answers are written to the same socket.
            self._sock.settimeout(self._patience.write)
        self._came += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Sources:
    """Open connections by source. One thread accepts and closes, so there is no lock.

    RAM: an entry of some 150 bytes for each source that has a connection.
    """

    def __init__(self, most: int, spared: Callable[[str], bool]) -> None:
        """`most` 0: no limit. `spared`: asked for a source that is at the limit."""
        self._most = most
        self._spared = spared
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count a connection; False: its source has too many."""
        source = _source(address)
        held = self._open.get(source, 0)
        if self._most and source and held >= self._most and not self._spared(address):
            return False
        self._open[source] = held + 1
        return True

    def leave(self, address: str) -> None:
        source = _source(address)
        held = self._open.pop(source, 0)
        if held > 1:
            self._open[source] = held - 1


def _source(address: str) -> str:
    """An IPv4 address, the /64 of an IPv6 one; empty for a unix socket."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if found.version == 6:
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(int(found) >> 64)
    return address
