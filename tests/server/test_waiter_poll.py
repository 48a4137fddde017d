"""The blocking waiter: readiness, deadlines, leavers."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pihub.errors import ClientGone
from pihub.server.waiter_poll import PollWaiter

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def client() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        with ours, theirs:
            yield ours, theirs


def test_returns_when_data_arrives(pair: Pair) -> None:
    ours, theirs = pair
    timer = threading.Timer(0.1, theirs.send, [b"x"])
    timer.start()
    start = time.monotonic()
    PollWaiter().wait(ours.fileno(), deadline=start + 5)
    assert 0.05 < time.monotonic() - start < 2
    assert ours.recv(1) == b"x"
    timer.join()


def test_returns_when_the_peer_hangs_up(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    PollWaiter().wait(ours.fileno(), deadline=time.monotonic() + 5)
    assert ours.recv(1) == b""


def test_an_endless_deadline_waits(pair: Pair) -> None:
    ours, theirs = pair
    timer = threading.Timer(0.1, theirs.send, [b"x"])
    timer.start()
    PollWaiter().wait(ours.fileno(), deadline=float("inf"))
    assert ours.recv(1) == b"x"
    timer.join()


@pytest.mark.parametrize("write", [False, True])
def test_the_deadline_is_kept_and_not_before(pair: Pair, write: bool) -> None:
    ours, _ = pair
    ours.setblocking(False)
    if write:
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(b"x" * 65536)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        PollWaiter().wait(ours.fileno(), write=write, deadline=start + 0.2)
    assert 0.2 <= time.monotonic() - start < 0.3


def test_a_deadline_in_the_past_still_reports_what_is_ready(pair: Pair) -> None:
    ours, theirs = pair
    with pytest.raises(TimeoutError):
        PollWaiter().wait(ours.fileno(), deadline=0.0)
    theirs.send(b"x")
    PollWaiter().wait(ours.fileno(), deadline=0.0)
    assert ours.recv(1) == b"x"


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_ends_wait_and_sleep(pair: Pair, client: Pair, reset: bool) -> None:
    ours, theirs = client
    theirs.send(b"unread bytes of a next request are no leaving")
    waiter, now = PollWaiter(), time.monotonic()
    with pytest.raises(TimeoutError):
        waiter.wait(pair[0].fileno(), deadline=now + 0.1, client_fd=ours.fileno())

    def leave() -> None:
        if reset:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()

    timer = threading.Timer(0.1, leave)
    timer.start()
    with pytest.raises(ClientGone):
        waiter.wait(pair[0].fileno(), deadline=now + 9, client_fd=ours.fileno())
    with pytest.raises(ClientGone):
        waiter.sleep(9, client_fd=ours.fileno())
    assert time.monotonic() - now < 2
    timer.join()


def test_an_answer_that_is_there_counts_more_than_a_client_that_left(
    pair: Pair, client: Pair
) -> None:
    pair[1].send(b"x")
    client[1].close()
    PollWaiter().wait(pair[0].fileno(), deadline=time.monotonic() + 5, client_fd=client[0].fileno())
    assert pair[0].recv(1) == b"x"


def test_sleep_lasts_as_long_as_asked() -> None:
    start = time.monotonic()
    PollWaiter().sleep(0.15)
    assert 0.15 <= time.monotonic() - start < 0.25
    PollWaiter().sleep(0)


def test_many_threads_may_wait_for_one_eventfd() -> None:
    fd = os.eventfd(0)
    waiter = PollWaiter()
    deadline = time.monotonic() + 5
    threads = [
        threading.Thread(target=waiter.wait, args=(fd,), kwargs={"deadline": deadline})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    os.eventfd_write(fd, 1)
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()
    os.close(fd)


def test_the_clients_socket_is_found_in_the_environ(pair: Pair) -> None:
    assert PollWaiter().client_fd({"gunicorn.socket": pair[0]}) == pair[0].fileno()
    assert PollWaiter().client_fd({}) == -1
