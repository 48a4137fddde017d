"""The middleware on the real arena: two workers' proxies, one cache, one breaker."""

from __future__ import annotations

import pytest

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub.errors import BreakerOpen
from pihub.gateway.api import ApiProxy
from pihub.settings.schema import Api, ApiCache
from pihub.shared.answers import ByteCache
from pihub.upstream.connector import Connector
from tests.gateway.api_parts import NOW, Breaker
from tests.upstream.raw_server import Peer, serving
from tests.upstream.waiter import PollWaiter, TableResolver


def test_workers_share_what_one_has_fetched() -> None:
    arena = Arena.create([("cache", Cache.size_for(8 << 20))], 2)

    def handler(peer: Peer) -> None:
        while peer.request():
            if peer.field("if-none-match"):
                peer.send(b"HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\n\r\n")
            elif peer.method == "GET":
                body = b"%d" % len(peer.server.requests)
                fresh = 0 if peer.target == "/stale" else 60
                peer.answer(body, headers=f'cache-control: max-age={fresh}\netag: "e"\nvary: a')
            else:
                peer.answer(b"done")

    with serving(handler) as server:
        breaker = Breaker()
        proxies = []
        for _ in range(2):
            waiter = PollWaiter()
            cache = ByteCache(Cache(Arena.attach(arena.fd), "cache"), b"s" * 32, 7)
            proxies.append(
                ApiProxy(
                    "x",
                    Api(prefix="/apis/x", url=server.url, cache=ApiCache(stale_if_error=60.0)),
                    None,
                    Connector(waiter, TableResolver()),
                    cache,
                    breaker,
                    None,
                    waiter=waiter,
                    max_cached=cache.max_value,
                )
            )

        def ask(worker: int, path: str, method: str = "GET", tenant: int = 1) -> tuple[str, object]:
            answer = proxies[worker].handle(method, path, "", [], None, -1, tenant, "", NOW)
            return answer.cache_state, answer.body

        assert ask(0, "/") == ("MISS", b"1")
        assert ask(1, "/") == ("HIT", b"1")
        assert ask(1, "/", tenant=2) == ("MISS", b"2")
        assert ask(0, "/stale") == ("MISS", b"3")
        assert ask(1, "/stale") == ("REVALIDATED", b"3")
        assert ask(1, "/", "DELETE") == ("BYPASS", b"done")
        assert ask(0, "/")[0] == "MISS"
        assert ask(0, "/", tenant=2)[0] == "MISS"
        breaker.open = True
        assert ask(1, "/", tenant=2)[0] == "HIT"
        with pytest.raises(BreakerOpen):
            ask(1, "/other")
