"""Targets of events: public addresses and what is allowed by name, nothing else."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from pihub.domain.public_address import is_public
from pihub.errors import UpstreamUnreachable
from pihub.webhooks.resolve import Guarded, SystemResolver

PRIVATE = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "fec0::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::",
    "2001:0:53aa:64c::1", "no address", "",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")


class Names:
    """A resolver with a mind of its own."""

    def __init__(self, **names: str) -> None:
        self.names = names
        self.asked: list[str] = []

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        self.asked.append(host)
        text = self.names.get(host.partition(".")[0], host)
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in text.split()]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(UpstreamUnreachable, match=r"egress\.allow"):
        Guarded(Names(evil=address or "?")).addresses("evil.example")


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_called(address: str) -> None:
    assert is_public(address)
    assert Guarded(Names(good=address)).addresses("good.example")[0][1] == address


def test_one_bad_address_among_good_ones_is_one_too_many() -> None:
    with pytest.raises(UpstreamUnreachable):
        Guarded(Names(both="1.1.1.1 127.0.0.1")).addresses("both.example")


def test_what_is_listed_may_be_called() -> None:
    names = Names(box="192.168.1.7", nas="10.0.0.9")
    guard = Guarded(names, ["192.168.1.0/24", "NAS.lan."])
    assert guard.addresses("box.lan")[0][1] == "192.168.1.7"
    assert guard.addresses("nas.lan")[0][1] == "10.0.0.9"
    with pytest.raises(UpstreamUnreachable):
        guard.addresses("nas.example")
    with pytest.raises(UpstreamUnreachable):
        Guarded(names).addresses("box.lan")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "::1", "0x7f.1", "2130706433"])
def test_other_ways_to_write_this_machine(host: str) -> None:
    with pytest.raises(UpstreamUnreachable):
        Guarded(SystemResolver()).addresses(host)


def test_each_connection_is_judged_by_the_address_that_it_gets() -> None:
    """A name that turns to the inside after it was judged (DNS rebinding) is judged again."""
    names = Names(turns="1.1.1.1")
    guard = Guarded(names)
    assert guard.addresses("turns.example")[0][1] == "1.1.1.1"
    names.names["turns"] = "127.0.0.1"
    with pytest.raises(UpstreamUnreachable):
        guard.addresses("turns.example")
    assert len(names.asked) == 2
