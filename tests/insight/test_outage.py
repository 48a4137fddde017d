"""What the live picture tells of an outage."""

from __future__ import annotations

import pytest

from pihub.insight.outage import Outage
from pihub.shared.routing import Event
from pihub.shared.state import SharedState
from pihub.shared.wan import WanState, publish

NOTHING = {"kept": 0, "local": 0, "queued": 0, "refused": 0}


@pytest.fixture
def outage(state: SharedState) -> Outage:
    return Outage(state)


def test_answers_are_those_of_this_outage(state: SharedState, outage: Outage) -> None:
    add = state.routing.add
    assert outage.picture() == {
        "offline": False, "since": None, "mode": "auto", "until": None, "answers": NOTHING,
    }  # fmt: skip
    publish(state.wan, WanState(offline=True, since=100.0, mode="on", until=160.0))
    # Nobody looked between the beginning and these.
    add(1, Event.OFFLINE_QUEUED, 3)
    add(1, Event.OFFLINE_LOCAL, 1)
    add(2, Event.OFFLINE_INSTEAD, 1)
    told = outage.picture()
    assert (told["offline"], told["since"], told["mode"], told["until"]) == (True, 100, "on", 160)
    assert told["answers"] == {**NOTHING, "queued": 3, "local": 2}
    add(1, Event.OFFLINE_REFUSED, 2)
    add(1, Event.OFFLINE_STALE, 1)
    assert outage.picture()["answers"] == {"kept": 1, "local": 2, "queued": 3, "refused": 2}
    publish(state.wan, WanState(offline=False, since=200.0))
    assert outage.picture()["answers"] == NOTHING
    publish(state.wan, WanState(offline=True, since=300.0))
    add(1, Event.OFFLINE_STALE, 5)
    assert outage.picture()["answers"] == {**NOTHING, "kept": 5}, "the one before is over"


def test_a_new_control_process_counts_from_its_beginning(state: SharedState) -> None:
    publish(state.wan, WanState(offline=True, since=100.0))
    state.routing.add(1, Event.OFFLINE_STALE, 7)
    outage = Outage(state)
    state.routing.add(1, Event.OFFLINE_STALE, 1)
    assert outage.picture()["answers"] == {**NOTHING, "kept": 1}
