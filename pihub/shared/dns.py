"""Names to addresses, looked up by the control process and read by the workers.

The board holds JSON: {host: {"addresses": [[family, address], ...], "error": text}};
a host whose first look-up is under way has neither.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from pihub.errors import UpstreamUnreachable

Addresses = list[tuple[int, str]]


class Published(Protocol):
    """A shared board (`_core.board.Board`)."""

    def publish(self, data: bytes) -> int: ...
    def generation(self) -> int: ...
    def read(self) -> tuple[int, bytes]: ...


class Lookup:
    """What is known of one host; `error` is why the last attempt failed."""

    __slots__ = ("addresses", "error")

    def __init__(self, addresses: Addresses | None = None, error: str = "") -> None:
        self.addresses: Addresses = addresses or []
        self.error = error


def encode(hosts: Mapping[str, Lookup]) -> bytes:
    return json.dumps(
        {name: {"addresses": one.addresses, "error": one.error} for name, one in hosts.items()},
        separators=(",", ":"),
    ).encode()


def decode(data: bytes) -> dict[str, Lookup]:
    if not data:
        return {}
    return {
        name: Lookup([(family, address) for family, address in one["addresses"]], one["error"])
        for name, one in json.loads(data).items()
    }


def literal(host: str) -> Addresses:
    """The address that `host` itself is, brackets of an IPv6 one allowed; else empty."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return []
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return [(int(family), str(address))]


class BoardResolver:
    """domain.ports.Resolver on the shared board; never blocks.

    RAM: one decoded copy of the board, read again only after a new publication.
    """

    def __init__(self, board: Published) -> None:
        self._board = board
        self._generation = 0
        self._hosts: dict[str, Lookup] = {}

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        """See domain.ports.Resolver."""
        if self._board.generation() != self._generation:
            self._generation, data = self._board.read()
            self._hosts = decode(data)
        found = self._hosts.get(host.lower())
        if found is None:
            numeric = literal(host)
            if not numeric and self._generation:
                raise UpstreamUnreachable(
                    "the upstream's host name is not configured", detail=f"host {host}"
                )
            return numeric
        if not found.addresses and found.error:
            raise UpstreamUnreachable(
                "the upstream's host name does not resolve", detail=f"{host}: {found.error}"
            )
        return found.addresses
