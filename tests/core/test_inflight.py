"""The in-flight table against a dict, and its wake-ups."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.inflight import Inflight
from tests.effort import examples
from tests.model import inflight as model

SLOTS = 4


@pytest.fixture
def fds() -> Iterator[tuple[int, ...]]:
    made = tuple(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(SLOTS))
    yield made
    for fd in made:
        os.close(fd)


def make(fds: tuple[int, ...], slots: int = 8) -> Inflight:
    arena = Arena.create([("f", Inflight.size_for(slots))], SLOTS)
    return Inflight(arena, "f", fds)


def woken(fds: tuple[int, ...]) -> set[int]:
    """Which slots were woken since the last look."""
    found = set()
    for slot, fd in enumerate(fds):
        try:
            os.eventfd_read(fd)
        except BlockingIOError:
            continue
        found.add(slot)
    return found


STEP = st.tuples(
    st.integers(0, 60),
    st.sampled_from(["begin", "begin", "begin", "end", "renew", "led", "recover"]),
    st.integers(1, 11),
    st.integers(0, SLOTS - 1),
    st.integers(1, 100),
)


@examples(300)
@given(start=st.integers(1, 2**37), steps=st.lists(STEP, max_size=60))
def test_is_its_twin(start: int, steps: list[tuple[int, str, int, int, int]]) -> None:
    fds = tuple(os.eventfd(0, os.EFD_NONBLOCK) for _ in range(SLOTS))
    try:
        run(make_small(fds), model.Inflight(), start, steps)
    finally:
        for fd in fds:
            os.close(fd)


def make_small(fds: tuple[int, ...]) -> Inflight:
    # A region is rounded up to a page; ask for one bucket by the shape of its length.
    return make(fds, 8)


def run(
    real: Inflight, twin: model.Inflight, now: int, steps: list[tuple[int, str, int, int, int]]
) -> None:
    for gap, what, h, slot, lease in steps:
        now += gap
        if what == "begin":
            assert real.begin(h, slot, lease, now) is twin.begin(h, slot, lease, now)
        elif what == "end":
            real.end(h, slot)
            twin.end(h, slot)
        elif what == "renew":
            assert real.renew(h, slot, lease, now) is twin.renew(h, slot, lease, now)
        elif what == "recover":
            real.recover(slot)
            twin.recover(slot)
        for key in range(1, 12):
            assert real.led(key, now) is twin.led(key, now)


def test_leading_following_waking(fds: tuple[int, ...]) -> None:
    table = make(fds)
    assert table.begin(7, 1, 1_000, 0) is True
    assert table.begin(7, 2, 1_000, 1) is False
    assert table.begin(7, 1, 1_000, 1) is False, "also for another request of the leader"
    assert table.led(7, 1)
    table.end(7, 2)
    assert table.led(7, 1), "only the leader ends"
    assert woken(fds) == set()
    table.end(7, 1)
    assert woken(fds) == {1, 2}
    assert not table.led(7, 1)
    table.end(7, 1)
    assert woken(fds) == set(), "once"


def test_a_leader_tells_its_followers_and_they_stay(fds: tuple[int, ...]) -> None:
    table = make(fds)
    assert table.leader(7, 0) == -1
    assert table.begin(7, 1, 1_000, 0) is True
    assert table.leader(7, 1) == 1
    assert not table.followed(7, 1) and not table.tell(7, 1)
    assert table.begin(7, 2, 1_000, 1) is False
    assert table.followed(7, 1) and not table.followed(7, 2) and not table.tell(7, 2)
    assert woken(fds) == set()
    for _ in range(2):
        assert table.tell(7, 1)
        assert woken(fds) == {2}
    table.end(7, 1)
    assert not table.followed(7, 1) and not table.tell(7, 1)


def test_a_hung_leader_is_replaced_and_its_followers_stay(fds: tuple[int, ...]) -> None:
    table = make(fds)
    assert table.begin(7, 1, 100, 0)
    assert table.begin(7, 2, 100, 50) is False
    assert table.begin(7, 3, 100, 100) is True
    assert not table.renew(7, 1, 100, 101)
    table.end(7, 1)
    assert table.led(7, 101)
    table.end(7, 3)
    assert 2 in woken(fds), "the follower of the first leader is woken by the second"


def test_a_lead_is_renewed(fds: tuple[int, ...]) -> None:
    table = make(fds)
    assert table.begin(7, 1, 100, 0)
    assert table.renew(7, 1, 100, 99)
    assert table.led(7, 198)
    assert not table.renew(7, 1, 100, 199)
    assert not table.renew(7, 2, 100, 150)


def test_a_full_bucket_says_so_and_a_dead_lease_makes_room(fds: tuple[int, ...]) -> None:
    table = make(fds)
    for h in range(1, 9):
        assert table.begin(h, 1, 1_000, 0) is True
    assert table.begin(9, 1, 1_000, 0) is None
    assert table.begin(3, 2, 1_000, 10) is False
    assert table.begin(9, 2, 1_000, 1_000) is True
    assert sum(table.led(h, 1_000) for h in range(1, 10)) == 1


def test_the_waiters_of_a_dead_lease_are_woken_by_who_takes_its_place(fds: tuple[int, ...]) -> None:
    table = make(fds)
    for h in range(1, 9):
        table.begin(h, 1, 1_000 if h == 1 else 5_000, 0)
    assert table.begin(1, 2, 1_000, 10) is False
    assert table.begin(9, 3, 1_000, 2_000) is True
    assert woken(fds) == {2}


def test_recovery_drops_the_dead_and_wakes_all(fds: tuple[int, ...]) -> None:
    table = make(fds, 64)
    for h in range(1, 7):
        table.begin(h << 32 | h, 1 + h % 2, 10_000, 0)
    assert table.recover(1) == 3
    assert woken(fds) == set(range(SLOTS))
    assert [table.led(h << 32 | h, 0) for h in range(1, 7)] == [True, False] * 3
    assert table.recover(1) == 0


def test_leaving_keeps_the_leader(fds: tuple[int, ...]) -> None:
    table = make(fds)
    table.begin(7, 1, 1_000, 0)
    table.begin(7, 2, 1_000, 0)
    table.leave(7, 2)
    assert table.led(7, 0)


def test_a_full_eventfd_does_not_block(fds: tuple[int, ...]) -> None:
    table = make(fds)
    os.eventfd_write(fds[2], 2**64 - 2)
    table.begin(7, 1, 1_000, 0)
    table.begin(7, 2, 1_000, 0)
    table.end(7, 1)
    assert not table.led(7, 0)


def test_bounds(fds: tuple[int, ...]) -> None:
    table = make(fds)
    with pytest.raises(IndexError):
        table.begin(1, SLOTS, 1, 1)
    with pytest.raises(ValueError, match="at most 65"):
        make(tuple(range(66)))
    arena = Arena.create([("f", 100)], 1)
    with pytest.raises(ValueError, match="too small"):
        Inflight(arena, "f", fds)


def test_readonly_only_looks(fds: tuple[int, ...]) -> None:
    arena = Arena.create([("f", Inflight.size_for(8))], SLOTS)
    Inflight(arena, "f", fds).begin(5, 1, 1_000, 0)
    top = Inflight(Arena.attach(arena.fd, readonly=True), "f", ())
    assert top.led(5, 0)
    with pytest.raises(IndexError):
        top.begin(6, 1, 1, 1)
