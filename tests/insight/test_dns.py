"""Names: published by one, read by all, never forgotten because of a failure."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from pihub.errors import UpstreamUnreachable
from pihub.insight.dns import DnsPublisher, system_lookup
from pihub.shared.dns import Addresses, BoardResolver, literal
from pihub.shared.state import SharedState


class Zone:
    """A name server that the test controls."""

    def __init__(self) -> None:
        self.names: dict[str, Addresses] = {}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Addresses:
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(-2, "Name or service not known")
        return self.names[host]


V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)


def test_addresses_come_through_the_arena(state: SharedState) -> None:
    zone = Zone()
    zone.names["api.example"] = [(V4, "192.0.2.7"), (V6, "2001:db8::1")]
    reader = BoardResolver(state.dns)
    assert reader.addresses("api.example") == []
    publisher = DnsPublisher(state.dns, ["API.example"], lookup=zone)
    assert reader.addresses("api.example") == []
    assert publisher.resolve("api.example")
    assert reader.addresses("api.example") == [(V4, "192.0.2.7"), (V6, "2001:db8::1")]
    assert reader.addresses("API.EXAMPLE") == [(V4, "192.0.2.7"), (V6, "2001:db8::1")]


def test_an_unknown_name_is_an_error_and_a_later_success_ends_it(state: SharedState) -> None:
    zone = Zone()
    reader = BoardResolver(state.dns)
    publisher = DnsPublisher(state.dns, ["api.example"], lookup=zone)
    assert not publisher.resolve("api.example")
    with pytest.raises(UpstreamUnreachable, match="does not resolve") as caught:
        reader.addresses("api.example")
    assert "api.example" in caught.value.detail
    assert "api.example" not in caught.value.message
    zone.names["api.example"] = [(V4, "192.0.2.7")]
    publisher.resolve("api.example")
    assert reader.addresses("api.example") == [(V4, "192.0.2.7")]


def test_the_last_good_answer_outlives_a_failure_and_a_restart(state: SharedState) -> None:
    zone = Zone()
    zone.names["api.example"] = [(V4, "192.0.2.7")]
    publisher = DnsPublisher(state.dns, ["api.example"], lookup=zone)
    publisher.resolve("api.example")
    del zone.names["api.example"]
    assert not publisher.resolve("api.example")
    reader = BoardResolver(state.dns)
    assert reader.addresses("api.example") == [(V4, "192.0.2.7")]
    DnsPublisher(state.dns, ["api.example", "new.example"], lookup=zone)
    assert reader.addresses("api.example") == [(V4, "192.0.2.7")]
    assert reader.addresses("new.example") == []


def test_a_host_that_nobody_configured_is_refused(state: SharedState) -> None:
    DnsPublisher(state.dns, ["api.example"], lookup=Zone())
    with pytest.raises(UpstreamUnreachable, match="not configured"):
        BoardResolver(state.dns).addresses("other.example")


def test_literals_need_no_look_up(state: SharedState) -> None:
    zone = Zone()
    reader = BoardResolver(state.dns)
    assert reader.addresses("127.0.0.1") == [(V4, "127.0.0.1")]
    publisher = DnsPublisher(state.dns, ["127.0.0.1", "::1"], lookup=zone)
    assert publisher.threads(threading.Event()) == []
    assert reader.addresses("::1") == [(V6, "::1")]
    assert reader.addresses("[::1]") == [(V6, "::1")]
    assert zone.asked == []
    assert literal("1.2.3") == []


def test_unchanged_answers_are_not_published_again(state: SharedState) -> None:
    zone = Zone()
    zone.names["api.example"] = [(V4, "192.0.2.7")]
    publisher = DnsPublisher(state.dns, ["api.example"], lookup=zone)
    publisher.resolve("api.example")
    generation = state.dns.generation()
    publisher.resolve("api.example")
    assert state.dns.generation() == generation


def test_threads_refresh_until_stopped(
    state: SharedState, until: Callable[[Callable[[], object]], None]
) -> None:
    zone = Zone()
    zone.names["good.example"] = [(V4, "192.0.2.7")]
    stop = threading.Event()
    publisher = DnsPublisher(
        state.dns, ["good.example", "late.example"], refresh=0.05, retry=0.02, lookup=zone
    )
    threads = publisher.threads(stop)
    for thread in threads:
        thread.start()
    reader = BoardResolver(state.dns)
    until(lambda: reader.addresses("good.example"))
    zone.names["late.example"] = [(V4, "192.0.2.8")]

    def late() -> bool:
        try:
            return bool(reader.addresses("late.example"))
        except UpstreamUnreachable:
            return False

    until(late)
    until(lambda: zone.asked.count("good.example") > 3)
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_the_systems_resolver_knows_localhost() -> None:
    found = system_lookup("localhost")
    assert (V4, "127.0.0.1") in found or (V6, "::1") in found
    assert len(found) == len(set(found))
