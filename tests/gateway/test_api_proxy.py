"""The middleware before a real loopback origin."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from pihub.errors import (
    BadRequest,
    BreakerOpen,
    ClientGone,
    ConfigError,
    MethodNotAllowed,
    RateLimited,
    UpstreamIncomplete,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.gateway.api import ApiAnswer
from pihub.settings.schema import ApiCache, Timers
from tests.gateway.api_parts import DATE, Bench
from tests.upstream.raw_server import Peer, RawServer, echoing, serving


def field(answer: ApiAnswer, name: str) -> str | None:
    values = [v for n, v in answer.headers if n == name]
    assert len(values) <= 1, values
    return values[0] if values else None


def says(headers: str, body: bytes = b"body", status: str = "200 OK") -> Callable[[Peer], None]:
    """Answers every request; the body ends with the number of requests so far."""

    def handler(peer: Peer) -> None:
        while peer.request():
            data = body + str(len(peer.server.requests)).encode()
            peer.answer(data, status, headers)

    return handler


def sent_fields(server: RawServer, number: int = -1) -> dict[str, str]:
    lines = server.requests[number][0].decode("latin-1").split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_request_and_its_answer_pass_through() -> None:
    with serving(echoing) as server:
        bench = Bench(server, base="/v1")
        answer, body = bench.ask(
            "/a%2Fb/./c", {"X-A": "1"}, method="PUT", query="q=1", body=b"data"
        )
        assert body == b"PUT /v1/a%2Fb/c?q=1 data"
        assert (answer.status, answer.cache_state, answer.attempts) == (200, "BYPASS", 1)
        assert answer.length == len(body) == answer.bytes_sent
        assert field(answer, "x-pihub-cache") == "BYPASS; method"
        assert field(answer, "via") == "1.1 pihub"
        assert field(answer, "date") == DATE
        sent = sent_fields(server)
        assert sent["x-a"] == "1"
        assert sent["x-request-id"] == "req-1"
        assert sent["x-forwarded-for"] == "192.0.2.9"
        assert sent["x-forwarded-proto"] == "https"
        assert bench.ask("", method="DELETE")[1] == b"DELETE /v1 "


def test_the_hub_s_key_stays_and_the_upstream_s_is_added() -> None:
    with serving(echoing) as server:
        bench = Bench(server, key=b"up-secret\n", api_key_header="X-Token", api_key_scheme="")
        bench.ask("/", {"Authorization": "Bearer ph_x", "x-token": "mine", "x-api-key": "ph_x"})
        sent = server.requests[0][0].decode()
        assert "ph_x" not in sent
        assert "mine" not in sent
        assert "x-token: up-secret" in sent
        bench = Bench(server, key=b"up-secret")
        answer, _ = bench.ask("/")
        assert sent_fields(server)["authorization"] == "Bearer up-secret"
        assert "up-secret" not in str(answer.headers)
        bench = Bench(server, forward_headers=["Authorization"])
        bench.ask("/", {"authorization": "Basic theirs"})
        assert sent_fields(server)["authorization"] == "Basic theirs"
        with pytest.raises(ConfigError):
            Bench(server, key=b"a\r\nb: c")


def test_only_allowed_methods_and_paths() -> None:
    with serving(echoing) as server:
        bench = Bench(server, methods=["GET"], base="/v1")
        with pytest.raises(MethodNotAllowed):
            bench.ask("/", method="POST")
        for path in ("/../admin", "/..%2fadmin", "/a/%2e%2e/%2e%2e/admin"):
            with pytest.raises(BadRequest):
                bench.ask(path)
        with pytest.raises(BadRequest):
            bench.ask("/", {"x": "a\r\nb: c"})
        assert server.requests == []
        names = ("x-http-method-override", "x-http-method", "x-method-override")
        bench.ask("/", dict.fromkeys(names, "DELETE"))
        assert not set(names) & set(sent_fields(server)), "another method under cover"


def test_bodies_stream_both_ways() -> None:
    seen: list[bytes] = []
    go = threading.Event()

    def handler(peer: Peer) -> None:
        assert peer.request()
        seen.append(peer.body)
        # The handler ends after one request: the second must not take this connection.
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        peer.send(head + b"5\r\nfirst\r\n")
        assert go.wait(5)
        peer.send(b"6\r\nsecond\r\n0\r\n\r\n")

    with serving(handler) as server:
        bench = Bench(server)
        pieces = iter([b"a" * 10, b"b" * 10])
        answer = bench.proxy.handle("POST", "/", "", [], pieces, -1, 1, "", bench.now)
        assert answer.length == -1
        assert not isinstance(answer.body, bytes)
        body = iter(answer.body)
        assert next(body) == b"first"
        go.set()
        assert list(body) == [b"second"]
        assert answer.bytes_sent == 11
        answer.close()
        assert seen == [b"a" * 10 + b"b" * 10]
        assert b"transfer-encoding: chunked" in server.requests[0][0]
        bench.proxy.handle(
            "POST", "/", "", [], iter([b"abc"]), -1, 1, "", bench.now, body_length=3
        ).close()
        assert b"content-length: 3" in server.requests[1][0]
        assert bench.connector.stats()[server.origin.key]["idle"] <= 1


def test_an_answer_is_stored_with_its_last_piece() -> None:
    """A server that sent content-length bytes never asks for the end."""
    go = threading.Event()

    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 8\r\n\r\nhalf")
        assert go.wait(5)
        peer.send(b"half")

    with serving(handler) as server:
        bench = Bench(server)
        answer = bench.proxy.handle("GET", "/", "", [], None, -1, 1, "", bench.now)
        assert not isinstance(answer.body, bytes)
        assert next(answer.body) == b"half"
        go.set()
        assert next(answer.body) == b"half"
        answer.close()
        assert bench.ask("/")[1] == b"halfhalf"
        assert bench.state("/") == "HIT"


def test_a_broken_answer_is_an_error_and_never_stored() -> None:
    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 9\r\n\r\nhalf")

    with serving(handler) as server:
        bench = Bench(server)
        for _ in range(2):
            with pytest.raises(UpstreamIncomplete):
                bench.ask("/")
        assert bench.breaker.outcomes == [True, False] * 2
        assert bench.cache.values == {}


def test_closing_an_answer_early_closes_the_upstream() -> None:
    took: list[float] = []

    def handler(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 9\r\n\r\nhalf")
        took.append(peer.until_closed())

    with serving(handler) as server:
        bench = Bench(server)
        answer = bench.proxy.handle("GET", "/", "", [], None, -1, 1, "", bench.now)
        answer.close()
        answer.close()
        end = time.monotonic() + 5
        while not took:
            assert time.monotonic() < end
        assert took[0] < 1
        assert bench.cache.values == {}


def test_a_client_that_left() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with serving(lambda peer: peer.until_closed() and None) as server:
        bench = Bench(server)
        with pytest.raises(ClientGone):
            bench.proxy.handle("GET", "/", "", [], None, ours.fileno(), 1, "", bench.now)
        assert bench.breaker.outcomes == []
    ours.close()


def test_redirects_lead_below_the_prefix() -> None:
    with serving(echoing) as probe:
        port = probe.port

        def handler(peer: Peer) -> None:
            while peer.request():
                where = f"http://127.0.0.1:{peer.server.port}/v1/new?a=b"
                peer.answer(b"", "302 Found", f"location: {where}\ncontent-location: /v1/c")

        with serving(handler) as server:
            answer, _ = Bench(server, base="/v1").ask("/old")
            assert answer.status == 302
            assert field(answer, "location") == "/apis/x/new?a=b"
            assert field(answer, "content-location") == "/apis/x/c"
            assert port


# ---- cache -------------------------------------------------------------------------


def test_fresh_answers_are_served_from_the_cache() -> None:
    with serving(says("cache-control: max-age=60\nx-one: 1\nage: 5")) as server:
        bench = Bench(server)
        first, body = bench.ask("/a", query="q=1")
        assert (first.cache_state, first.reason, body) == ("MISS", "stored", b"body1")
        bench.pass_time(10)
        hit, body = bench.ask("/a", query="q=1")
        assert (hit.cache_state, body, hit.attempts) == ("HIT", b"body1", 0)
        assert field(hit, "age") == "15"
        assert field(hit, "x-one") == "1"
        assert hit.length == 5
        head, body = bench.ask("/a", query="q=1", method="HEAD")
        assert (head.cache_state, head.length, body) == ("HIT", 5, b"")
        assert bench.ask("/a")[1] == b"body2"
        assert bench.ask("/a", query="q=1", tenant=2)[1] == b"body3"
        bench.pass_time(45)
        assert bench.ask("/a", query="q=1")[1] == b"body4"


@pytest.mark.parametrize("size", [0, 10, 99_999, 100_001])
@pytest.mark.parametrize("framing", ["content-length", "chunked", "close"])
def test_streamed_answers_are_stored_up_to_a_size(size: int, framing: str) -> None:
    body = b"x" * size

    def handler(peer: Peer) -> None:
        while peer.request():
            head = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n"
            if framing == "chunked":
                peer.send(head + b"transfer-encoding: chunked\r\n\r\n")
                for pos in range(0, size, 7000):
                    part = body[pos : pos + 7000]
                    peer.send(b"%x\r\n%b\r\n" % (len(part), part))
                peer.send(b"0\r\n\r\n")
            elif framing == "close":
                peer.send(head + b"\r\n" + body)
                return
            else:
                peer.send(head + b"content-length: %d\r\n\r\n" % size + body)

    with serving(handler) as server:
        bench = Bench(server)
        first = bench.proxy.handle("GET", "/", "", [], None, -1, 1, "", bench.now)
        got = first.body if isinstance(first.body, bytes) else b""
        if not isinstance(first.body, bytes):
            for piece in first.body:
                got += piece
                assert sum(len(kept) for kept in first.body._kept) <= 100_000
        assert got == body
        answer, again = bench.ask("/")
        assert again == body
        state = "HIT; fresh" if size <= 100_000 else "MISS; "
        assert (field(answer, "x-pihub-cache") or "").startswith(state)


def test_vary_selects_the_answer() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            body = (peer.field("accept-language") or "none").encode()
            peer.answer(body, headers="cache-control: max-age=60\nvary: Accept-Language")

    with serving(handler) as server:
        bench = Bench(server)
        for state in ("MISS", "HIT"):
            for language in ("de", "en", None):
                headers = {"Accept-Language": language} if language else {}
                answer, body = bench.ask("/", headers)
                assert (answer.cache_state, body) == (state, (language or "none").encode())
        assert len(server.requests) == 3


def test_a_client_s_conditions_are_answered_from_the_cache() -> None:
    with serving(says(f'cache-control: max-age=60\netag: "v1"\nlast-modified: {DATE}')) as server:
        bench = Bench(server)
        bench.ask("/")
        answer, body = bench.ask("/", {"If-None-Match": 'W/"v1"'})
        assert (answer.status, answer.cache_state, body) == (304, "HIT", b"")
        assert field(answer, "etag") == '"v1"'
        assert field(answer, "content-type") is None
        assert answer.length == -1
        assert bench.ask("/", {"If-Modified-Since": DATE})[0].status == 304
        assert bench.ask("/", {"If-None-Match": '"v0"'})[0].status == 200
        assert len(server.requests) == 1


def validating(fresh: str = "max-age=60") -> Callable[[Peer], None]:
    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.field("if-none-match") == '"v1"':
                peer.send(
                    b"HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\nx-turn: second\r\n"
                    b"cache-control: " + fresh.encode() + b"\r\n\r\n"
                )
            else:
                head = f'cache-control: {fresh}\netag: "v1"\nx-turn: first\nx-kept: 1'
                peer.answer(b"whole", headers=head)

    return handler


def test_a_stale_answer_is_validated_and_freshened() -> None:
    with serving(validating()) as server:
        bench = Bench(server)
        bench.ask("/")
        bench.pass_time(61)
        answer, body = bench.ask("/", {"If-None-Match": '"other"'})
        assert (answer.status, answer.cache_state, body) == (200, "REVALIDATED", b"whole")
        assert (field(answer, "x-turn"), field(answer, "x-kept")) == ("second", "1")
        assert field(answer, "age") == "0"
        assert sent_fields(server)["if-none-match"] == '"v1"'
        bench.pass_time(30)
        assert bench.state("/") == "HIT"
        bench.pass_time(31)
        answer, body = bench.ask("/", {"If-None-Match": '"v1"'})
        assert (answer.status, answer.cache_state, body) == (304, "REVALIDATED", b"")
        assert len(server.requests) == 3


def test_no_cache_is_validated_each_time() -> None:
    with serving(validating("no-cache")) as server:
        bench = Bench(server)
        assert [bench.state("/") for _ in range(3)] == ["MISS", "REVALIDATED", "REVALIDATED"]
    with serving(validating()) as server:
        bench = Bench(server)
        bench.ask("/")
        assert bench.state("/", {"Cache-Control": "no-cache"}) == "REVALIDATED"
        assert bench.state("/", {"Cache-Control": "no-store"}) == "BYPASS"
        assert bench.state("/", {"Range": "bytes=0-1"}) == "BYPASS"
        assert bench.state("/") == "HIT"


def test_a_304_about_another_answer_is_not_believed() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.field("if-none-match"):
                peer.send(b'HTTP/1.1 304 Not Modified\r\netag: "v9"\r\n\r\n')
            else:
                peer.answer(b"%d" % peer.number, headers='cache-control: no-cache\netag: "v1"')

    with serving(handler) as server:
        bench = Bench(server)
        assert bench.ask("/")[1] == b"0"
        assert bench.ask("/")[1] == b"2"


def test_a_304_to_the_client_s_own_condition_passes() -> None:
    with serving(validating()) as server:
        bench = Bench(server)
        answer, body = bench.ask("/", {"If-None-Match": '"v1"'})
        assert (answer.status, answer.cache_state, body) == (304, "MISS", b"")
        assert bench.ask("/")[0].cache_state == "MISS"


def test_only_if_cached() -> None:
    with serving(says("cache-control: max-age=60")) as server:
        bench = Bench(server)
        answer, body = bench.ask("/", {"Cache-Control": "only-if-cached"})
        assert (answer.status, body, len(server.requests)) == (504, b"", 0)
        bench.ask("/")
        assert bench.state("/", {"Cache-Control": "only-if-cached"}) == "HIT"


def test_max_stale_and_min_fresh() -> None:
    with serving(says('cache-control: max-age=60\netag: "x"')) as server:
        bench = Bench(server)
        bench.ask("/")
        bench.pass_time(50)
        assert bench.state("/", {"Cache-Control": "min-fresh=20"}) == "MISS"
        bench.pass_time(70)
        assert bench.state("/", {"Cache-Control": "max-stale=20"}) == "STALE"
        assert bench.state("/", {"Cache-Control": "max-stale=5"}) == "MISS"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("cache-control: max-age=60\nset-cookie: a=b", "set-cookie"),
        ("cache-control: private, max-age=60", "private"),
        ("cache-control: no-store", "no-store"),
        ("cache-control: max-age=60\nvary: *", "vary *"),
        ("x: y", "no freshness"),
    ],
)
def test_what_is_not_stored(headers: str, reason: str) -> None:
    with serving(says(headers)) as server:
        bench = Bench(server)
        for number in (b"body1", b"body2"):
            answer, body = bench.ask("/")
            assert (answer.cache_state, answer.reason, body) == ("MISS", reason, number)
        assert bench.cache.values == {}


def test_answers_to_credentials_are_stored_only_if_they_say_so() -> None:
    with serving(says("cache-control: max-age=60")) as server:
        bench = Bench(server, key=b"k")
        assert [bench.ask("/")[0].reason for _ in range(2)] == ["authorization"] * 2
        bench = Bench(server, forward_headers=["authorization"])
        assert [bench.state("/", {"Authorization": "x"}) for _ in range(2)] == ["MISS"] * 2
        assert [bench.state("/") for _ in range(2)] == ["MISS", "HIT"]
        bench = Bench(server, key=b"k", caching=ApiCache(private=True))
        assert [bench.state("/") for _ in range(2)] == ["MISS", "HIT"]
        bench = Bench(
            server, key=b"k", caching=ApiCache(private=True), forward_headers=["authorization"]
        )
        assert [bench.state("/", {"Authorization": "x"}) for _ in range(2)] == ["MISS"] * 2
    with serving(says("cache-control: public, max-age=60")) as server:
        bench = Bench(server, key=b"k")
        assert [bench.state("/") for _ in range(2)] == ["MISS", "HIT"]


def test_the_default_time_to_live_and_the_switch() -> None:
    with serving(says("x: y")) as server:
        bench = Bench(server, caching=ApiCache(default_ttl=30.0))
        assert [bench.state("/") for _ in range(2)] == ["MISS", "HIT"]
        bench.pass_time(31)
        assert bench.state("/") == "MISS"
        bench = Bench(server, caching=ApiCache(default_ttl=30.0, enabled=False))
        assert [bench.ask("/")[0].reason for _ in range(2)] == ["off"] * 2


def test_a_head_request_stores_nothing() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            body = b"" if peer.method == "HEAD" else b"abc"
            peer.send(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 3\r\n\r\n")
            peer.send(body)

    with serving(handler) as server:
        bench = Bench(server)
        answer, body = bench.ask("/", method="HEAD")
        assert (answer.status, answer.length, body) == (200, 3, b"")
        assert bench.ask("/")[1] == b"abc"


def test_unsafe_requests_invalidate_for_all_tenants() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.method == "GET":
                peer.answer(b"%d" % len(peer.server.requests), headers="cache-control: max-age=60")
            elif peer.target.endswith("/fails"):
                peer.answer(b"", "400 No")
            else:
                peer.answer(b"", "201 Made", "location: /v1/a/new")

    with serving(handler) as server:
        bench = Bench(server, base="/v1")
        paths = ("/a", "/a/new", "/fails", "/other")
        for path in paths:
            for tenant in (1, 2):
                bench.ask(path, tenant=tenant)
        for path in ("/a", "/fails"):
            bench.ask(path, method="POST", body=b"x")
        for tenant in (1, 2):
            states = [bench.state(path, tenant=tenant) for path in paths]
            assert states == ["MISS", "MISS", "HIT", "HIT"]
            assert [bench.state(path, tenant=tenant) for path in paths] == ["HIT"] * 4


def test_an_answer_asked_for_before_an_invalidation_is_not_kept_after_it() -> None:
    asked, go = threading.Event(), threading.Event()

    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.method == "GET" and len(peer.server.requests) == 1:
                asked.set()
                assert go.wait(5)
            peer.answer(peer.method.encode(), headers="cache-control: max-age=60")

    with serving(handler) as server:
        bench = Bench(server)
        slow = threading.Thread(target=bench.ask, args=("/",))
        slow.start()
        assert asked.wait(5)
        bench.ask("/", method="PUT", body=b"new")
        go.set()
        slow.join(5)
        assert bench.state("/") == "MISS"
        assert bench.state("/") == "HIT"


@pytest.mark.parametrize("failure", ["status", "refused", "breaker"])
def test_stale_answers_cover_errors(failure: str) -> None:
    healthy = threading.Event()
    healthy.set()

    def handler(peer: Peer) -> None:
        while peer.request():
            if healthy.is_set():
                peer.answer(b"good", headers="cache-control: max-age=60")
            else:
                peer.answer(b"bad", "503 No", "retry-after: 99")

    with serving(handler) as server:
        bench = Bench(server, caching=ApiCache(stale_if_error=100.0))
        bench.ask("/")
        bench.pass_time(70)
        healthy.clear()
        if failure == "refused":
            server.close()
        bench.breaker.open = failure == "breaker"
        answer, body = bench.ask("/")
        assert (answer.status, answer.cache_state, body) == (200, "STALE", b"good")
        assert field(answer, "age") == "70"
        bench.pass_time(100)
        if failure == "status":
            assert bench.ask("/")[0].status == 503
        else:
            with pytest.raises(UpstreamUnreachable if failure == "refused" else BreakerOpen):
                bench.ask("/")


def test_must_revalidate_is_never_served_stale() -> None:
    with serving(says("cache-control: max-age=60, must-revalidate")) as server:
        bench = Bench(server, caching=ApiCache(stale_if_error=100.0))
        bench.ask("/")
        bench.pass_time(61)
        server.close()
        with pytest.raises(UpstreamUnreachable):
            bench.ask("/")


def test_while_one_validates_others_are_served_stale() -> None:
    asked, go = threading.Event(), threading.Event()

    def handler(peer: Peer) -> None:
        while peer.request():
            if len(peer.server.requests) == 2:
                asked.set()
                assert go.wait(5)
            body = b"%d" % len(peer.server.requests)
            peer.answer(body, headers="cache-control: max-age=60, stale-while-revalidate=30")

    with serving(handler) as server:
        bench = Bench(server)
        bench.ask("/")
        bench.pass_time(70)
        results: list[bytes] = []
        leader = threading.Thread(target=lambda: results.append(bench.ask("/")[1]))
        leader.start()
        assert asked.wait(5)
        answer, body = bench.ask("/")
        assert (answer.cache_state, answer.reason, body) == (
            "STALE",
            "stale-while-revalidate",
            b"1",
        )
        go.set()
        leader.join(5)
        assert results == [b"2"]
        assert bench.ask("/")[1] == b"2"


def test_a_cache_that_refuses_harms_nobody() -> None:
    with serving(says("cache-control: max-age=60\nvary: a")) as server:
        bench = Bench(server)
        bench.cache.refuse = True
        assert [bench.state("/") for _ in range(2)] == ["MISS", "MISS"]
    with serving(says("cache-control: max-age=60")) as server:
        bench = Bench(server)
        bench.ask("/")
        for key, (_, until, gone) in bench.cache.values.items():
            bench.cache.values[key] = (b"\xc1 not ours", until, gone)
        assert bench.state("/") == "MISS"


# ---- retries, breaker, limit -------------------------------------------------------


def failing(times: int, status: str = "503 No", headers: str = "") -> Callable[[Peer], None]:
    def handler(peer: Peer) -> None:
        while peer.request():
            if len(peer.server.requests) <= times:
                peer.answer(b"bad", status, headers)
            else:
                peer.answer(b"good")

    return handler


def test_idempotent_requests_are_tried_again() -> None:
    with serving(failing(2)) as server:
        bench = Bench(server)
        answer, body = bench.ask("/")
        assert (answer.status, body, answer.attempts) == (200, b"good", 3)
        assert len(bench.waiter.slept) == 2
        assert 0.05 <= bench.waiter.slept[0] <= 0.1 <= bench.waiter.slept[1] <= 0.2
        assert bench.breaker.outcomes == [False, False, True]
        assert bench.breaker.calls == 3
        assert bench.limiter.hits == 1


def test_retries_end() -> None:
    with serving(failing(99)) as server:
        answer, body = Bench(server, retries=2).ask("/")
        assert (answer.status, body, answer.attempts) == (503, b"bad", 3)
        answer, _ = Bench(server, retries=0).ask("/")
        assert (answer.status, answer.attempts) == (503, 1)
        answer, _ = Bench(server).ask("/", method="POST", body=b"x")
        assert (answer.status, answer.attempts) == (503, 1)
        bench = Bench(server, retries=1)
        attempts = sum(bench.ask("/")[0].attempts for _ in range(40))
        assert 40 + 10 <= attempts <= 40 + 10 + 4


def test_retry_after_is_honoured() -> None:
    with serving(failing(1, "429 Slow", "retry-after: 3")) as server:
        bench = Bench(server)
        assert bench.ask("/")[0].attempts == 2
        assert bench.waiter.slept == [3.0]
        assert bench.breaker.outcomes == [True, True]
    with serving(failing(1, "503 No", "retry-after: 30")) as server:
        answer, _ = Bench(server).ask("/")
        assert (answer.status, answer.attempts) == (503, 1)
        assert field(answer, "retry-after") == "30"


def test_cut_and_refused_calls_are_tried_again() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if len(peer.server.requests) == 1:
                return
            peer.answer(b"good")

    with serving(handler) as server:
        assert Bench(server).ask("/")[0].attempts == 2
        server.requests.clear()
        with pytest.raises(UpstreamIncomplete):
            Bench(server).ask("/", method="POST", body=b"x")
        url = server.url
    with serving(echoing) as server:
        bench = Bench(server, url=url)
        with pytest.raises(UpstreamUnreachable):
            bench.ask("/", method="POST", body=b"x")
        assert bench.breaker.outcomes == [False] * 3
        bench = Bench(server, url=url)
        with pytest.raises(UpstreamUnreachable):
            bench.proxy.handle("POST", "/", "", [], iter([b"x"]), -1, 1, "", bench.now)
        assert bench.breaker.outcomes == [False]


def test_all_attempts_together_keep_the_total_time() -> None:
    def handler(peer: Peer) -> None:
        while peer.request():
            if len(peer.server.requests) == 1:
                threading.Event().wait(0.7)
                peer.answer(b"", "503 No")
            else:
                peer.until_closed()

    with serving(handler) as server:
        bench = Bench(server, timers=Timers(connect=1, headers=5, first_byte=5, idle=5, total=1.0))
        begin = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            bench.ask("/")
        assert caught.value.timer == "total"
        assert time.monotonic() - begin < 1.5


def test_an_open_breaker_and_a_used_up_rate() -> None:
    with serving(echoing) as server:
        bench = Bench(server)
        bench.breaker.open = True
        with pytest.raises(BreakerOpen) as caught:
            bench.ask("/")
        assert caught.value.retry_after == 7.0
        bench.breaker.open = False
        bench.limiter.wait = 2.5
        with pytest.raises(RateLimited) as limited:
            bench.ask("/")
        assert limited.value.retry_after == 2.5
        assert server.requests == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_is_not_there_is_not_asked_for_again(status: str) -> None:
    with serving(says("", status=status)) as server:
        bench = Bench(server, caching=ApiCache(negative_ttl=30.0, stale_if_error=100.0))
        assert bench.state("/") == "MISS"
        answer, body = bench.ask("/")
        assert (answer.cache_state, body) == ("NEGATIVE", b"body1")
        assert answer.status == int(status[:3])
        assert bench.state("/", tenant=2) == "MISS", "another tenant's"
        bench.pass_time(31)
        assert bench.state("/") == "MISS", "never after its time"
        assert bench.state("/", method="HEAD") == "NEGATIVE"


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "403 No", "429 Many", "500 No", "503 No"])
def test_other_refusals_are_asked_for_again(status: str) -> None:
    with serving(says("retry-after: 99", status=status)) as server:
        bench = Bench(server, caching=ApiCache(negative_ttl=30.0))
        assert bench.state("/") == bench.state("/") == "MISS"
        assert len(server.requests) == 2
