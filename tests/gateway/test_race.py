"""What a race of two calls leaves behind: the bill, the answer, descriptors and rows. No threads
where the order of things is what counts: a test says itself who is done when."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pihub.domain.collect import Collector
from pihub.domain.ports import Piece
from pihub.domain.stream import BlockStart, TextDelta
from pihub.domain.target import Target
from pihub.errors import ClientGone, UpstreamUnreachable
from pihub.gateway.exchange import Exchange
from pihub.gateway.race import FOREVER, MERGED, Race, Racer
from pihub.server.waiter_poll import PollWaiter
from tests.gateway.routed import RoutedBench

PATIENCE = 30.0
"""Seconds; far more than anything here takes."""


class Track:
    """A race of two calls whose ends the test says."""

    def __init__(self) -> None:
        self.bench = RoutedBench(chat=("oa", "an"))
        self.x = Exchange(self.bench.incoming())
        self.first_target, self.second_target = self.bench.target("oa"), self.bench.target("an")
        self.paid: list[Target] = [self.first_target, self.second_target]
        self.spawned: list[Callable[[], None]] = []
        self.waiter: Any = PollWaiter()
        self.race: Race

    def begin(self) -> tuple[Racer, Racer]:
        """Two calls that have begun and are not done."""
        self.race = Race(self.x, self.waiter, lambda target: target in self.paid)
        racers = (
            Racer(self.race, self.x, self.first_target),
            Racer(self.race, self.x, self.second_target),
        )
        self.race.racers += racers
        return racers

    def __call__(self, racer: Racer, error: Exception | None = None) -> None:
        """It is done."""

        def call(*_: object) -> None:
            if error is not None:
                raise error

        racer.run(call)


@pytest.fixture
def track() -> Iterator[Track]:
    made = Track()
    yield made
    if made.race.racers:
        for one in made.race.racers:
            if not one.done:
                one.drop()


def word(text: str) -> Piece:
    return Piece(text.encode(), (TextDelta(0, text),))


def told(collector: Collector) -> str:
    return "".join(getattr(block, "text", "") for block in collector.partial())


# ---- the bill ----------------------------------------------------------------------


def test_what_a_loser_had_told_is_on_the_bill(track: Track) -> None:
    winner, loser = track.begin()
    loser.calling = True
    loser.held = [Piece(b"", (BlockStart(0, "text"),)), word("so "), word("far")]
    assert winner.first()
    track(winner)
    track.race.end()
    ((target, collector),) = track.x.lost
    assert target is loser.target and told(collector) == "so far"
    loser.held.append(word(" and on"))
    assert told(collector) == "so far", "what it hears afterwards is nobody's"


def test_a_loser_that_has_counted_itself_is_not_counted_again(track: Track) -> None:
    winner, loser = track.begin()
    broken = Collector()
    loser.calling, loser.x.lost = True, ((loser.target, broken),)
    assert winner.first()
    track(winner)
    track.race.end()
    assert track.x.lost == ((loser.target, broken),)


def test_another_s_loss_is_not_taken_for_its_own(track: Track) -> None:
    winner, loser = track.begin()
    broken = Collector()
    loser.calling, loser.x.lost = True, ((winner.target, broken),)
    track.race.end()
    assert [target for target, _ in track.x.lost] == [winner.target, loser.target]


@pytest.mark.parametrize("why", ["done", "not calling", "free"])
def test_what_costs_nothing_is_not_on_the_bill(track: Track, why: str) -> None:
    winner, loser = track.begin()
    loser.calling, loser.held = why != "not calling", [word("a")]
    if why == "free":
        track.paid.remove(loser.target)
    assert winner.first()
    track(winner)
    if why == "done":
        track(loser, UpstreamUnreachable("gone"))
    track.race.end()
    assert track.x.lost == ()


def test_losses_and_attempts_of_before_are_counted_once(track: Track) -> None:
    earlier, own = (track.first_target, Collector()), (track.second_target, Collector())
    track.x.lost, track.x.attempts = (earlier,), 3
    first, second = track.begin()
    first.x.attempts += 1
    second.x.attempts += 2
    second.x.lost = (*second.x.lost, own)
    track.race.end()
    assert track.x.lost == (earlier, own)
    assert track.x.attempts == 3 + 1 + 2


# ---- the answer --------------------------------------------------------------------


@pytest.mark.parametrize("failed", [False, True])
def test_the_winner_s_answer_becomes_the_request_s(track: Track, failed: bool) -> None:
    winner, _ = track.begin()
    before = {name: getattr(track.x, name) for name in MERGED}
    hers = {name: object() for name in MERGED}
    for name, value in hers.items():
        setattr(winner.x, name, value)
    assert winner.first()
    track(winner, UpstreamUnreachable("cut") if failed else None)
    track.race.end()
    assert {name: getattr(track.x, name) for name in MERGED} == (before if failed else hers)
    kept = (winner.x.hold, winner.x.live)
    assert kept == ((hers["hold"], hers["live"]) if failed else (None, None)), "one owner"
    winner.x.live = None


def test_a_call_s_plan_is_its_own(track: Track) -> None:
    """Each notes in it what it did; only the winner's notes become the request's."""
    plan: Any = SimpleNamespace(note="as it began")
    track.x.plan = plan
    first, second = track.begin()
    first.x.plan.note = "mine"  # type: ignore[union-attr]
    assert (second.x.plan.note, plan.note) == ("as it began",) * 2  # type: ignore[union-attr]


def test_only_one_is_first_and_the_others_leave(track: Track) -> None:
    one, other = track.begin()
    assert one.first()
    with pytest.raises(ClientGone):
        track.waiter.sleep(PATIENCE, client_fd=other.x.request.client_fd)
    assert not other.first()
    assert one.first(), "each of its words asks"
    track.waiter.sleep(0.001, client_fd=one.x.request.client_fd)


def test_it_is_decided_when_the_winner_is_done_whatever_the_other_does(track: Track) -> None:
    one, _ = track.begin()
    assert not track.race.wait(0.0)
    assert one.first()
    assert not track.race.wait(0.0), "it has begun, and its end is waited for"
    track(one)
    assert track.race.wait(FOREVER)


def test_without_a_winner_all_are_waited_for(track: Track) -> None:
    one, other = track.begin()
    track(one, UpstreamUnreachable("gone"))
    assert not track.race.wait(0.0)
    track(other, UpstreamUnreachable("gone"))
    assert track.race.wait(FOREVER)


# ---- who leaves --------------------------------------------------------------------


@pytest.mark.parametrize("stays", [False, True])
def test_a_client_that_leaves_ends_the_race_unless_an_answer_is_received_to_its_end(
    track: Track, stays: bool
) -> None:
    ours, theirs = os.pipe()
    track.x.request.client_fd = ours
    one, other = track.begin()
    one.stays = stays
    os.close(theirs)
    if not stays:
        with pytest.raises(ClientGone):
            track.race.wait(FOREVER)
    else:
        threading.Timer(0.05, lambda: [track(one), track(other)]).start()
        assert track.race.wait(FOREVER)
        with pytest.raises(ClientGone):
            track.waiter.sleep(PATIENCE, client_fd=ours)
    os.close(ours)


def test_what_stays_and_is_done_holds_nobody(track: Track) -> None:
    ours, theirs = os.pipe()
    track.x.request.client_fd = ours
    one, _ = track.begin()
    one.stays = True
    track(one, UpstreamUnreachable("gone"))
    os.close(theirs)
    with pytest.raises(ClientGone):
        track.race.wait(FOREVER)
    os.close(ours)


# ---- what it leaves open -----------------------------------------------------------


class Row:
    """Of the table of live streams."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("done", [False, True])
def test_a_loser_s_row_stays_until_the_record_is_written(track: Track, done: bool) -> None:
    winner, loser = track.begin()
    row: Any = Row()
    loser.x.live = row
    assert winner.first()
    if done:
        track(loser)
    assert row.closed == 0, "the record tells of it"
    loser.free()
    loser.free()
    assert row.closed == 1


def test_a_row_that_a_loser_opens_after_the_record_is_closed_too(track: Track) -> None:
    winner, loser = track.begin()
    assert winner.first()
    loser.free()
    row: Any = Row()

    def call(x: Exchange, _: Target) -> None:
        x.live = row

    loser.run(call)
    assert row.closed == 1


def test_who_finds_no_thread_is_out_of_the_race(
    track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    track.race = Race(track.x, track.waiter, lambda _: True)

    def none(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(track.waiter, "spawn", none)
    late = Racer(track.race, track.x, track.first_target)
    with pytest.raises(RuntimeError):
        track.race.enter(late, lambda *_: None)
    assert track.race.racers == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(late.x.request.client_fd)


def test_leaving_twice_closes_nobody_else_s_descriptor(track: Track) -> None:
    one, _ = track.begin()
    end = one._end
    one.leave()
    assert os.dup2(0, end) == end
    one.leave()
    os.fstat(end)
    os.close(end)


def test_a_call_begins_alone(track: Track) -> None:
    """Nothing of the request that another call could end with it."""
    held: Any = object()
    track.x.live, track.x.hold = held, held
    one, other = track.begin()
    for racer in (one, other):
        x = racer.x
        assert (x.beside, x.live, x.hold, x.race) == ((), None, None, racer)
        assert not (racer.calling or racer.stays or racer.done)
    assert one.x.request.client_fd != other.x.request.client_fd
    assert (track.x.live, track.x.hold) == (held, held)
    track.x.live = track.x.hold = None
