"""Single-flight between real processes: one leads, all others wake when it ends."""

from __future__ import annotations

import os
import threading
import time

import pytest

from pihub.errors import ClientGone
from pihub.server.waiter_poll import PollWaiter
from pihub.shared.flights import Flights
from pihub.shared.state import Plan, SharedState


def flights(state: SharedState, slot: int) -> Flights:
    made = Flights(state.inflight, slot, state.eventfds[slot], PollWaiter())
    threading.Thread(target=made.dispatch, daemon=True).start()
    return made


def test_followers_of_other_processes_wake() -> None:
    state = SharedState.create(Plan(workers=2, cache_bytes=1 << 20))
    leader = flights(state, 1)
    assert leader.begin(7) is True
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        other = flights(state, 2)
        assert other.begin(7) is False
        os.write(ready[1], b"x")
        started = time.monotonic()
        other.follow(7, deadline=started + 10, client_fd=-1)
        os.write(done[1], b"%d" % int((time.monotonic() - started) * 1000))
        os._exit(0)
    os.read(ready[0], 1)
    time.sleep(0.1)  # the follower is to wait for a while; any length will do
    leader.end(7)
    took = int(os.read(done[0], 16))
    os.waitpid(child, 0)
    assert 50 <= took < 5000


def test_many_followers_of_one_process() -> None:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
    one = flights(state, 1)
    assert one.begin(5) is True
    woken = []

    def follow() -> None:
        assert one.begin(5) is False
        one.follow(5, deadline=time.monotonic() + 10, client_fd=-1)
        woken.append(1)

    threads = [threading.Thread(target=follow) for _ in range(20)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 5
    while one._waiting < 20 and time.monotonic() < end:
        time.sleep(0.01)
    one.end(5)
    for thread in threads:
        thread.join(5)
    assert len(woken) == 20
    assert one.begin(5) is True, "a new flight may start"


def test_deadlines_and_leaving_clients() -> None:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
    one = flights(state, 1)
    assert one.begin(3) is True
    assert one.begin(3) is False
    with pytest.raises(TimeoutError):
        one.follow(3, deadline=time.monotonic() + 0.05, client_fd=-1)
    import socket

    near, far = socket.socketpair()
    far.close()
    with pytest.raises(ClientGone):
        one.follow(3, deadline=time.monotonic() + 5, client_fd=near.fileno())
    near.close()
