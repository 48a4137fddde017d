"""When the hub counts as offline: only in doubt, only when several looks agree, by hand at once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pihub.ops.wan import CALM, DOUBT, Place, WanWatch, said
from pihub.settings.offline import Offline
from pihub.shared.dns import Lookup, encode
from pihub.shared.health import HealthBoard, UpstreamHealth
from pihub.shared.state import Plan, SharedState
from pihub.shared.wan import Wan

PLACES = (Place("claude", "claude.test", 443), Place("other", "other.test", 443))


class World:
    def __init__(self, state: SharedState, **settings: object) -> None:
        self.state, self.now = state, 1000.0
        self.up: set[str] = {"192.0.2.1", "192.0.2.2"}
        self.asked: list[str] = []
        self.health = HealthBoard(state, {"claude": 0, "other": 1})
        self.names("")
        self.wan = Wan(state.wan)
        self.watch = self.made(**settings)

    def made(self, **settings: object) -> WanWatch:
        return WanWatch(
            self.state, self.health, PLACES, Offline(probe=5.0, **settings),  # type: ignore[arg-type]
            self.connects, lambda: self.now,
        )  # fmt: skip

    def connects(self, address: str, port: int) -> bool:
        self.asked.append(address)
        return address in self.up

    def names(self, error: str) -> None:
        self.state.dns.publish(
            encode(
                {
                    "claude.test": Lookup([(2, "192.0.2.1")], error),
                    "other.test": Lookup([(2, "192.0.2.2")], error),
                }
            )
        )

    def looks(self, count: int) -> bool:
        for _ in range(count):
            self.now += self.watch.turn()
        return self.wan.offline()


@pytest.fixture
def world() -> Iterator[World]:
    state = SharedState.create(Plan(1, 1 << 22))
    yield World(state)
    for fd in state.eventfds:
        os.close(fd)


def test_nothing_is_asked_without_doubt(world: World) -> None:
    world.up.clear()
    assert not world.looks(50) and not world.asked
    assert world.watch.turn() == CALM


def test_several_looks_must_agree_both_ways(world: World) -> None:
    world.names("no answer")
    world.up.clear()
    assert not world.looks(2)
    assert world.looks(1) and "offline since" in said(world.wan.state())
    world.names("")
    world.up = {"192.0.2.2"}  # one of them is enough
    assert world.looks(1)
    world.up.clear()
    assert world.looks(1)
    world.up = {"192.0.2.2"}
    assert world.looks(1) and not world.looks(1)
    asked = len(world.asked)
    world.looks(10)
    assert len(world.asked) == asked


def test_one_of_two_that_fails_is_its_own_trouble(world: World) -> None:
    world.names("no answer")
    world.up = {"192.0.2.2"}
    assert not world.looks(20)


def test_what_workers_could_not_reach_casts_doubt_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pihub.shared.health.time", lambda: world.now)
    claude = UpstreamHealth(world.state, 0, 1)
    world.up.clear()
    claude.record(False, error="upstream_error", status=500)
    assert not world.looks(5) and not world.asked  # it answered
    claude.record(False, error="upstream_unreachable")
    assert world.looks(3)
    world.up = {"192.0.2.1"}
    assert not world.looks(2)
    asked = len(world.asked)
    world.looks(5)
    assert len(world.asked) == asked, "what failed while the line was down is no doubt any more"
    world.now += 2 * DOUBT
    claude.record(False, error="upstream_timeout")
    world.looks(1)
    assert len(world.asked) > asked


def test_by_hand_it_is_so_at_once_and_for_a_while(world: World) -> None:
    assert world.watch.set("on", 60.0).offline and world.wan.offline()
    assert world.looks(1) and not world.asked
    # Another control process finds it as it was.
    world.watch = world.made()
    assert world.looks(1)
    world.now += 61.0
    assert not world.looks(1) and world.wan.state().mode == "auto"
    world.names("no answer")
    world.up.clear()
    world.watch.set("off")
    assert not world.looks(10)
    assert world.watch.set("auto").offline, "it looked all the same"


def test_the_configuration_says_it_too(world: World) -> None:
    world.watch = world.made(mode="on")
    assert world.looks(1)
    assert not world.watch.set("off").offline
