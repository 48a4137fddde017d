"""Stored answers of an API past their time, given at once while one request asks anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pihub._core.arena import Arena
from pihub._core.inflight import Inflight
from pihub.errors import ClientGone
from pihub.gateway.api import ApiProxy
from pihub.gateway.background import Background
from pihub.settings.schema import ApiCache
from pihub.shared.flights import Flights
from tests.gateway.api_parts import Bench
from tests.gateway.parts import FakeWaiter
from tests.upstream.raw_server import Peer, RawServer, serving

FRESH = "cache-control: max-age=60"


class Aside:
    """A worker's background, whose work the test does."""

    def __init__(self) -> None:
        arena = Arena.create([("f", Inflight.size_for(64))], 2)
        self.waiter = FakeWaiter()
        self.flights = Flights(Inflight(arena, "f", (-1, -1, -1)), 1, -1, self.waiter)
        self.background = Background(self.flights, self.waiter.spawn)

    def run(self) -> int:
        spawned, self.waiter.spawned = self.waiter.spawned, []
        for work in spawned:
            work()
        return len(spawned)


def numbered(headers: str = FRESH, status: str = "200 OK") -> Callable[[Peer], None]:
    """Answers with the number of requests so far; the first with `FRESH`."""

    def handler(peer: Peer) -> None:
        while peer.request():
            number = len(peer.server.requests)
            said = (status, headers) if number > 1 else ("200 OK", FRESH)
            peer.answer(b"%d" % number, *said)

    return handler


def bench_of(server: RawServer, aside: Aside, seconds: float = 100.0) -> Bench:
    caching = ApiCache(stale_while_revalidate=seconds)
    bench = Bench(server, caching=caching, background=aside.background)
    assert bench.ask("/")[1] == b"1"
    bench.pass_time(70)
    return bench


def told(bench: Bench, **more: object) -> tuple[str, bytes]:
    answer, body = bench.ask("/", **more)  # type: ignore[arg-type]
    (word,) = [value for name, value in answer.headers if name == "x-pihub-cache"]
    return word, body


def test_at_once_and_once_in_the_background() -> None:
    aside = Aside()
    with serving(numbered()) as server:
        bench = bench_of(server, aside)
        for _ in range(3):
            assert told(bench) == ("STALE; stale-while-revalidate", b"1")
        assert len(server.requests) == 1
        assert aside.run() == 1
        assert len(server.requests) == 2
        assert told(bench) == ("HIT; fresh", b"2")


def test_off_by_default_and_beyond_its_span() -> None:
    aside = Aside()
    with serving(numbered()) as server:
        bench = bench_of(server, aside, 0.0)
        assert told(bench)[1] == b"2"
    with serving(numbered()) as server:
        bench = bench_of(server, aside, 5.0)
        assert told(bench)[1] == b"2"
        assert aside.run() == 0


def test_what_the_upstream_says_counts_more() -> None:
    aside = Aside()
    with serving(numbered(FRESH + ", stale-while-revalidate=30")) as server:
        bench = bench_of(server, aside, 0.0)
        assert told(bench) == ("MISS; stored", b"2")
        bench.pass_time(70)
        assert told(bench) == ("STALE; stale-while-revalidate", b"2")
        assert aside.run() == 1
        assert told(bench) == ("HIT; fresh", b"3")


def test_it_is_validated_not_fetched_where_that_is_possible() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.field("if-none-match"):
                peer.send(b"HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\n\r\n")
            else:
                peer.answer(b"1", headers=FRESH + '\netag: "e"')

    aside = Aside()
    with serving(handler) as server:
        bench = bench_of(server, aside)
        assert told(bench)[0].startswith("STALE")
        aside.run()
        assert told(bench) == ("HIT; fresh", b"1")


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        ("404 Not Found", "cache-control: no-store", "MISS; no-store"),
        ("200 OK", "cache-control: no-store", "MISS; no-store"),
        ("403 No", "", "STALE; stale-while-revalidate"),
        ("429 Too Many", "retry-after: 99", "STALE; stale-while-revalidate"),
        ("503 No", "retry-after: 99", "STALE; stale-while-revalidate"),
    ],
)
def test_an_answer_that_may_not_be_stored(status: str, headers: str, after: str) -> None:
    """One that says that the old one is over takes it away; a refusal or failure does not."""
    aside = Aside()
    with serving(numbered(headers, status)) as server:
        bench = bench_of(server, aside)
        assert told(bench)[0].startswith("STALE")
        aside.run()
        assert told(bench)[0] == after
        assert aside.run() == 0, "it failed a moment ago, or there is nothing to refresh"


def test_it_keeps_the_api_s_limit_and_breaker() -> None:
    aside = Aside()
    with serving(numbered()) as server:
        bench = bench_of(server, aside)
        bench.limiter.wait = 5.0
        assert told(bench) == ("STALE; stale-while-revalidate", b"1")
        aside.run()
        assert len(server.requests) == 1
        assert bench.limiter.hits == 2


def test_a_head_request_is_no_reason_to_wait_either() -> None:
    aside = Aside()
    with serving(numbered()) as server:
        bench = bench_of(server, aside)
        assert bench.ask("/", method="HEAD")[0].cache_state == "STALE"
        aside.run()
        assert server.requests[-1][0].startswith(b"GET ")
        assert told(bench) == ("HIT; fresh", b"2")


def test_when_the_worker_stops_it_ends() -> None:
    aside = Aside()
    seen: list[int] = []

    class Gone:
        def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
            seen.append(client_fd)
            raise ClientGone("the client closed its connection")

    with serving(numbered("retry-after: 1", "503 No")) as server:
        bench = bench_of(server, aside)
        proxy: ApiProxy = bench.proxy
        proxy._caller._waiter = Gone()  # type: ignore[assignment]
        assert told(bench)[0].startswith("STALE")
        aside.run()
        assert seen and seen[0] >= 0
        aside.background.stop()
        assert aside.flights.leader(0) == -1 and aside.background.running == 0
        assert told(bench) == ("STALE; stale-while-revalidate", b"1")
        assert aside.run() == 0
