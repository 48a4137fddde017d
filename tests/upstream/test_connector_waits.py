"""What waits, waits within its bound: timers, cancelling, the pool, names."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pihub.domain.ports import Waiter
from pihub.errors import (
    ClientGone,
    Overloaded,
    UpstreamBusy,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.server import waiter_poll
from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector import Connector, Origin, pool
from pihub.upstream.connector.connection import Connection
from tests.upstream.raw_server import Peer, RawServer, echoing, serving
from tests.upstream.waiter import PollWaiter, TableResolver

OK = b"HTTP/1.1 200 OK\r\n"
WAITERS = [PollWaiter, waiter_poll.PollWaiter]
"""Ours for tests, and that of the engine with threads."""
LONG = Timers(connect=20, headers=20, first_byte=20, idle=20, total=20)
SLACK = 0.6
"""How late a timer may fire on a busy machine, seconds."""


def connector(table: dict[str, object] | None = None) -> Connector:
    return Connector(PollWaiter(), TableResolver(table))  # type: ignore[arg-type]


def timers(**short: float) -> Timers:
    return Timers(**{n: short.get(n, 20.0) for n in Timers.__struct_fields__})


@contextmanager
def within(least: float, most: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert least - 0.01 <= took <= most, took


def eventually(check: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "did not come true in time"
        threading.Event().wait(0.005)


@pytest.fixture
def full_backlog() -> Iterator[Origin]:
    """An origin whose connects hang: its listener's backlog is full."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = listener.getsockname()
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(address)
        fillers.append(filler)
    yield Origin.parse(f"http://127.0.0.1:{address[1]}")[0]
    for sock in (*fillers, listener):
        sock.close()


def test_connect_timer(full_backlog: Origin) -> None:
    client = connector()
    with within(0.3, 0.3 + SLACK), pytest.raises(UpstreamTimeout) as caught:
        client.request(full_backlog, "GET", "/", [], None, timers(connect=0.3))
    assert caught.value.timer == "connect"
    assert client.stats()[full_backlog.key]["open"] == 0


def silent(peer: Peer) -> None:
    assert peer.request()
    peer.until_closed(10)


def head_only(peer: Peer) -> None:
    assert peer.request()
    peer.send(OK + b"content-length: 5\r\n\r\n")
    peer.until_closed(10)


def half_a_head(peer: Peer) -> None:
    """Trickles a header for ever: progress that never ends must not feed the timer."""
    assert peer.request()
    peer.send(OK)
    while not peer.server.stop.wait(0.05):  # type: ignore[attr-defined]
        peer.send(b"x: y\r\n")


def trickled_extension(peer: Peer) -> None:
    assert peer.request()
    peer.send(OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n5;")
    while not peer.server.stop.wait(0.05):  # type: ignore[attr-defined]
        peer.send(b"x")


def stalls(peer: Peer) -> None:
    assert peer.request()
    peer.send(OK + b"content-length: 5\r\n\r\nab")
    peer.until_closed(10)


def drips(peer: Peer) -> None:
    assert peer.request()
    peer.send(OK + b"\r\n")
    while not peer.server.stop.wait(0.05):  # type: ignore[attr-defined]
        peer.send(b"x")


def never_reads(peer: Peer) -> None:
    assert peer.server.stop.wait(10)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("handler", "name", "body"),
    [
        (silent, "headers", None),
        (half_a_head, "headers", None),
        (head_only, "first_byte", None),
        (stalls, "idle", None),
        (trickled_extension, "idle", None),
        (never_reads, "idle", b"x" * 30_000_000),
        (drips, "total", None),
        (silent, "total", None),
        (head_only, "total", None),
        (never_reads, "total", b"x" * 30_000_000),
    ],
)
@pytest.mark.parametrize("waiter", WAITERS)
def test_each_timer_fires(
    waiter: type[Waiter], handler: Callable[[Peer], None], name: str, body: bytes | None
) -> None:
    with serving(handler) as server:
        server.stop = threading.Event()  # type: ignore[attr-defined]
        client = Connector(waiter(), TableResolver())
        with within(0.3, 0.3 + SLACK), pytest.raises(UpstreamTimeout) as caught:
            answer = client.request(
                server.origin, "POST", "/", [], body, timers(**{name: 0.3})
            )
            while answer.read_some():
                pass
        server.stop.set()  # type: ignore[attr-defined]
        assert caught.value.timer == name
        assert client.stats()[server.origin.key]["open"] == 0


@pytest.mark.parametrize("waiter", WAITERS)
@pytest.mark.parametrize("handler", [silent, head_only, stalls, never_reads])
def test_the_client_s_leaving_cancels_within_a_second(
    waiter: type[Waiter], handler: Callable[[Peer], None]
) -> None:
    noticed: list[float] = []

    def watched(peer: Peer) -> None:
        handler(peer)
        noticed.append(time.monotonic())

    ours, theirs = socket.socketpair()
    with serving(watched) as server:
        server.stop = threading.Event()  # type: ignore[attr-defined]
        client = Connector(waiter(), TableResolver())
        left: list[float] = []

        def leave() -> None:
            eventually(lambda: server.accepted > 0)
            left.append(time.monotonic())
            theirs.close()

        thread = threading.Thread(target=leave)
        thread.start()
        body = b"x" * 30_000_000 if handler is never_reads else b""
        with pytest.raises(ClientGone):
            client.request(
                server.origin, "POST", "/", [], body, LONG, client_fd=ours.fileno()
            ).read_all(100)
        thread.join()
        assert time.monotonic() - left[0] < 1
        server.stop.set()  # type: ignore[attr-defined]
        eventually(lambda: bool(noticed))
        assert noticed[0] - left[0] < 1
        assert client.stats()[server.origin.key]["open"] == 0
    ours.close()


def test_the_client_s_leaving_ends_connecting_and_queueing(full_backlog: Origin) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    client = connector({"pending": []})
    with within(0, 1), pytest.raises(ClientGone):
        client.request(full_backlog, "GET", "/", [], None, LONG, client_fd=ours.fileno())
    with within(0, 1), pytest.raises(ClientGone):
        pending = Origin("http", "pending", 80)
        client.request(pending, "GET", "/", [], None, LONG, client_fd=ours.fileno())
    with serving(head_only) as server:
        one = Pool(size=1)
        held = client.request(server.origin, "GET", "/", [], None, LONG, pool=one)
        with within(0, 1), pytest.raises(ClientGone):
            client.request(
                server.origin, "GET", "/", [], None, LONG, pool=one, client_fd=ours.fileno()
            )
        assert client.stats()[server.origin.key] == {"open": 1, "idle": 0, "waiting": 0}
        held.close()
        assert client.stats()[server.origin.key]["open"] == 0
    ours.close()


def test_the_pool_is_bounded_and_first_come_first_served() -> None:
    limits = Pool(size=2)
    order: list[int] = []

    def handler(peer: Peer) -> None:
        while peer.request():
            peer.answer(peer.target.encode())

    with serving(handler) as server:
        client = connector()
        held = [
            client._pools.setdefault(server.origin.key, pool.OriginPool(limits))
            and client.request(server.origin, "GET", "/h", [], None, LONG, pool=limits)
            for _ in range(1)
        ]
        held[0].read_all(9)
        holding = _occupy(client, server, limits, 2)

        def ask(number: int) -> None:
            answer = client.request(
                server.origin, "GET", f"/{number}", [], None, LONG, pool=limits
            )
            order.append(number)
            answer.read_all(9)

        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            eventually(
                lambda n=number: client.stats()[server.origin.key]["waiting"] == n + 1  # type: ignore[misc]
            )
        assert client.stats()[server.origin.key] == {"open": 2, "idle": 0, "waiting": 8}
        holding[0].discard()
        for thread in threads:
            thread.join(5)
        # Two are served at a time, and which of two threads notes its turn first is its own.
        assert sorted(order) == list(range(8))
        assert all(abs(place - number) <= 1 for place, number in enumerate(order)), order
        assert server.accepted <= 3
        holding[1].release()
        assert client.stats()[server.origin.key] == {"open": 2, "idle": 2, "waiting": 0}


def _occupy(client: Connector, server: RawServer, limits: Pool, count: int) -> list[Connection]:
    """Take `count` connections out of the pool, as requests under way do."""
    places = client._pools[server.origin.key]
    taken = []
    for _ in range(count):
        until = time.monotonic() + 5
        taken.append(
            places.take(time.monotonic(), PollWaiter(), until, -1)
            or client._dial(server.origin, places, until, -1)
        )
    return taken


def test_waiting_for_a_place_ends_by_the_connect_timer() -> None:
    one = Pool(size=1)
    with serving(head_only) as server:
        client = connector()
        held = client.request(server.origin, "GET", "/", [], None, LONG, pool=one)
        with within(0.3, 0.3 + SLACK), pytest.raises(UpstreamTimeout) as caught:
            client.request(server.origin, "GET", "/", [], None, timers(connect=0.3), pool=one)
        assert caught.value.timer == "connect"
        assert client.stats()[server.origin.key] == {"open": 1, "idle": 0, "waiting": 0}
        held.close()
        client.request(server.origin, "GET", "/", [], None, LONG, pool=one).close()


def test_waits_and_new_connections_are_told() -> None:
    one = Pool(size=1)
    with serving(head_only) as server:
        client = connector()
        first, second = SimpleNamespace(queued_ns=0, dialed_ns=0), SimpleNamespace(
            queued_ns=0, dialed_ns=0
        )
        held = client.request(server.origin, "GET", "/", [], None, LONG, pool=one, spent=first)
        assert first.dialed_ns > 10_000
        with pytest.raises(UpstreamTimeout):
            client.request(
                server.origin, "GET", "/", [], None, timers(connect=0.2), pool=one, spent=second
            )
        assert (second.queued_ns > 190_000_000, second.dialed_ns) == (True, 0)
        held.close()
    with serving(echoing) as server:
        for _ in range(2):
            told = SimpleNamespace(queued_ns=0, dialed_ns=0)
            answer = client.request(server.origin, "GET", "/", [], None, LONG, spent=told)
            answer.read_all(1 << 16)
        assert told.dialed_ns == 0, "the second used the first one's connection"


@pytest.mark.parametrize("gives_up", [False, True])
def test_a_place_granted_in_the_moment_of_leaving_is_passed_on(gives_up: bool) -> None:
    """The deadline passes just when the place comes: it must not be lost."""
    one = Pool(size=1)

    class LateWaiter(PollWaiter):
        def wait(
            self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1
        ) -> None:
            if late:
                (late.pop().discard if gives_up else late.pop().release)()
                raise TimeoutError
            super().wait(fd, write=write, deadline=deadline, client_fd=client_fd)

    late: list[Connection] = []
    with serving(echoing) as server:
        client = Connector(LateWaiter(), TableResolver())
        client.request(server.origin, "GET", "/", [], None, LONG, pool=one).read_all(9)
        held = _occupy(client, server, one, 1)
        late.extend(held)
        with pytest.raises(UpstreamTimeout):
            client.request(server.origin, "GET", "/", [], None, LONG, pool=one)
        left = 0 if gives_up else 1
        assert client.stats()[server.origin.key] == {"open": left, "idle": left, "waiting": 0}


def test_a_connection_given_back_in_the_moment_of_queueing_is_seen() -> None:
    """Between the look for idle connections and the queue nothing may be missed."""
    one = Pool(size=1)

    class Meddling:
        """A lock; whoever takes it finds that another thread was just quicker."""

        def __enter__(self) -> None:
            if late:
                late.pop().release()

        def __exit__(self, *_: object) -> None:
            return

    late: list[Connection] = []
    with serving(echoing) as server:
        client = connector()
        client.request(server.origin, "GET", "/", [], None, LONG, pool=one).read_all(9)
        late.extend(_occupy(client, server, one, 1))
        client._pools[server.origin.key]._lock = Meddling()  # type: ignore[assignment]
        with within(0, 1):
            answer = client.request(server.origin, "GET", "/", [], None, LONG, pool=one)
        assert answer.read_all(9) == b"GET / "
        assert not late
        assert client.stats()[server.origin.key] == {"open": 1, "idle": 1, "waiting": 0}
        assert server.accepted == 1


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_WAITING", 0)
    with serving(head_only) as server:
        client = connector()
        held = client.request(server.origin, "GET", "/", [], None, LONG, pool=Pool(size=1))
        with pytest.raises(UpstreamBusy):
            client.request(server.origin, "GET", "/", [], None, LONG, pool=Pool(size=1))
        held.close()


def test_a_failed_dial_hands_its_place_on() -> None:
    """A queue must not starve because the connection before it could not be made."""
    dead = Origin("http", "dead", 1)
    client = connector({"dead": UpstreamUnreachable("no such name")})
    one = Pool(size=1)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            client.request(dead, "GET", "/", [], None, LONG, pool=one)
        except UpstreamUnreachable as err:
            failures.append(err)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(failures) == 10
    assert client.stats()[dead.key] == {"open": 0, "idle": 0, "waiting": 0}


def test_many_threads_share_a_small_pool() -> None:
    limits = Pool(size=3)
    wrong: list[object] = []
    with serving(echoing) as server:
        client = connector()

        def work(number: int) -> None:
            for turn in range(60):
                body = f"{number}-{turn}".encode()
                method = "POST" if turn % 2 else "PUT"
                answer = client.request(
                    server.origin, method, "/", [], body, LONG, pool=limits
                )
                if turn % 7 == 0:
                    answer.close()
                elif answer.read_all(99) != method.encode() + b" / " + body:
                    wrong.append(body)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        stats = client.stats()[server.origin.key]
        assert wrong == []
        assert stats["waiting"] == 0
        assert stats["open"] == stats["idle"] <= 3


def test_idle_connections_expire() -> None:
    short = Pool(idle=0.2)
    with serving(echoing) as server, serving(echoing) as other:
        client = connector()
        client.request(server.origin, "GET", "/", [], None, LONG, pool=short).read_all(9)
        assert client.stats()[server.origin.key]["idle"] == 1
        client._swept = 0.0
        client.close_idle()
        assert client.stats()[server.origin.key]["idle"] == 1
        # Traffic of any origin closes the expired connections of all.
        eventually(lambda: _sweeps(client, other, server))
        client.request(server.origin, "GET", "/", [], None, LONG, pool=short).read_all(9)
        assert server.accepted == 2
        client.close()
        assert client.stats()[server.origin.key]["open"] == 0


def _sweeps(client: Connector, other: RawServer, server: RawServer) -> bool:
    client._swept = 0.0
    client.request(other.origin, "GET", "/", [], None, LONG).read_all(9)
    return client.stats()[server.origin.key]["open"] == 0


def test_every_address_is_tried() -> None:
    with serving(echoing) as server:
        table = {
            "many": [
                (int(socket.AF_INET6), "::1"),
                (int(socket.AF_INET), "127.0.0.2"),
                (int(socket.AF_INET), "127.0.0.1"),
            ]
        }
        origin = Origin("http", "many", server.port)
        answer = connector(table).request(origin, "GET", "/", [], None, LONG)
        assert answer.read_all(9) == b"GET / "


def test_a_hanging_address_leaves_time_for_the_next(full_backlog: Origin) -> None:
    with serving(echoing) as server:
        # The same port on another loopback address: one hangs, the other answers.
        good = socket.create_server(("127.0.0.3", full_backlog.port))
        threading.Thread(target=_accept_one, args=(good,), daemon=True).start()
        table = {"two": [(int(socket.AF_INET), "127.0.0.1"), (int(socket.AF_INET), "127.0.0.3")]}
        origin = Origin("http", "two", full_backlog.port)
        with within(0.5, 0.5 + SLACK):
            answer = connector(table).request(origin, "GET", "/", [], None, timers(connect=1))
            assert answer.read_all(9) == b"ok"
        good.close()
    assert server.accepted == 0


def _accept_one(listener: socket.socket) -> None:
    sock, _ = listener.accept()
    sock.recv(1000)
    sock.sendall(OK + b"content-length: 2\r\n\r\nok")
    sock.close()


def test_nothing_listens() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    client = connector()
    origin = Origin("http", "localhost", port)
    with within(0, 1), pytest.raises(UpstreamUnreachable) as caught:
        client.request(origin, "GET", "/", [], None, LONG)
    assert "refused" in caught.value.detail
    assert "127.0.0.1" not in caught.value.message
    assert client.stats()[origin.key]["open"] == 0


def test_a_name_that_does_not_resolve() -> None:
    client = connector()
    origin = Origin("http", "nowhere.invalid", 80)
    with pytest.raises(UpstreamUnreachable):
        client.request(origin, "GET", "/", [], None, LONG)
    assert client.stats()[origin.key]["open"] == 0


def test_a_name_under_way_is_waited_for() -> None:
    with serving(echoing) as server:
        resolver = TableResolver({"slow": []})
        client = Connector(PollWaiter(), resolver)
        origin = Origin("http", "slow", server.port)
        threading.Timer(
            0.2, resolver.table.__setitem__, ("slow", [(int(socket.AF_INET), "127.0.0.1")])
        ).start()
        assert client.request(origin, "GET", "/", [], None, LONG).read_all(9) == b"GET / "
        with within(0.2, 0.3 + SLACK), pytest.raises(UpstreamTimeout) as caught:
            never = Origin("http", "never", server.port)
            resolver.table["never"] = []
            client.request(never, "GET", "/", [], None, timers(connect=0.3))
        assert caught.value.timer == "connect"


def test_numbers_and_unix_paths_are_not_looked_up(tmp_path: Path) -> None:
    resolver = TableResolver()
    client = Connector(PollWaiter(), resolver)
    with serving(echoing) as server, serving(echoing, unix=str(tmp_path / "s")) as unix:
        for origin in (server.origin, unix.origin):
            client.request(origin, "GET", "/", [], None, LONG).read_all(9)
    assert resolver.asked == []


def test_a_full_unix_backlog_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "busy.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    fillers = []
    while True:
        filler = socket.socket(socket.AF_UNIX)
        filler.setblocking(False)
        fillers.append(filler)
        if filler.connect_ex(path):
            break
    origin = Origin("unix", path, 0)
    with within(0.2, 0.3 + SLACK), pytest.raises(UpstreamTimeout):
        connector().request(origin, "GET", "/", [], None, timers(connect=0.3))
    for sock in (*fillers, listener):
        sock.close()


def test_no_descriptor_is_lost() -> None:
    """2,000 requests of every outcome, then as many descriptors as before."""

    def handler(peer: Peer) -> None:
        while peer.request():
            kind = peer.target
            if kind == "/cut":
                peer.send(OK + b"content-length: 9\r\n\r\nabc")
                return
            if kind == "/bad":
                peer.send(b"nonsense\r\n\r\n")
                return
            if kind == "/none":
                return
            peer.answer(b"fine")

    with serving(handler) as server:
        client = connector()
        refused = Origin("http", "localhost", 1)
        kinds = ["/", "/", "/cut", "/bad", "/none", "/", "/drop", "refused"]
        before = 0
        for turn in range(2008):
            if turn == 8:
                client.close()
                eventually(lambda: len(server._open) >= server.accepted)
                before = _descriptors()
            kind = kinds[turn % 8]
            try:
                if kind == "refused":
                    client.request(refused, "GET", "/", [], None, LONG)
                answer = client.request(server.origin, "POST", kind, [], b"x", LONG)
                if kind == "/drop":
                    answer.close()
                else:
                    answer.read_all(100)
            except (UpstreamUnreachable, Exception):
                continue
        client.close()
        for stats in client.stats().values():
            assert stats == {"open": 0, "idle": 0, "waiting": 0}
        eventually(lambda: _descriptors() <= before)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_running_out_of_descriptors_is_the_hub_s_fault() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = []
    client = connector()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_descriptors() + 20, hard))
        try:
            while True:
                spare.append(os.dup(0))
        except OSError:
            pass
        with pytest.raises(Overloaded):
            client.request(Origin("http", "127.0.0.1", 9), "GET", "/", [], None, LONG)
    finally:
        for fd in spare:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert client.stats()["http://127.0.0.1|9|"]["open"] == 0
