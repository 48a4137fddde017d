"""Plain parts for the middleware's tests: a cache, breaker and limiter in memory."""

from __future__ import annotations

from pihub.gateway.api import ApiAnswer, ApiProxy, BackgroundFace
from pihub.settings.schema import Api, ApiCache, Timers
from pihub.upstream.connector import Connector
from tests.upstream.raw_server import RawServer
from tests.upstream.waiter import PollWaiter, TableResolver

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


class Clock:
    """A monotonic clock that tests turn by hand, ns."""

    def __init__(self) -> None:
        self.ns = 10**15

    def __call__(self) -> int:
        # Time passes with every look, as it does.
        self.ns += 1
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


class MemoryCache:
    """A CacheFace whose times to live are counted by a Clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.values: dict[tuple[bytes, int], tuple[bytes, int, int]] = {}
        self.refuse = False

    def get(self, key: bytes, tenant: int) -> tuple[bytes, float] | None:
        found = self.values.get((key, tenant))
        if found is None:
            return None
        value, until, gone = found
        now = self._clock()
        return None if now >= gone else (value, (now - until) / 1e9)

    def put(
        self,
        key: bytes,
        tenant: int,
        value: bytes,
        ttl: float,
        stale: float,
        saves: float = 1.0,
        look: int = 0,
    ) -> int:
        if self.refuse:
            return 0
        now = self._clock()
        until = now + int(ttl * 1e9)
        self.values[key, tenant] = (value, until, until + int(stale * 1e9))
        return len(value)

    def delete(self, key: bytes, tenant: int) -> bool:
        return self.values.pop((key, tenant), None) is not None


class Breaker:
    def __init__(self) -> None:
        self.open = False
        self.calls = 0
        self.outcomes: list[bool] = []

    def allow(self) -> bool:
        return not self.open

    def called(self) -> None:
        self.calls += 1

    def record(self, ok: bool, *, error: str = "", status: int = 0) -> None:
        assert ok or error
        self.outcomes.append(ok)

    def held(self) -> bool:
        return False

    def retry_in(self) -> float:
        return 7.0


class Limiter:
    def __init__(self) -> None:
        self.wait = 0.0
        self.hits = 0

    def hit(self) -> float:
        self.hits += 1
        return self.wait


class ImpatientWaiter(PollWaiter):
    """Remembers how long it was told to sleep, and sleeps a thousandth of it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        self.slept.append(seconds)
        super().sleep(seconds / 1000, client_fd=client_fd)


class Bench:
    """One ApiProxy before a raw server."""

    def __init__(
        self,
        server: RawServer,
        *,
        key: bytes | None = None,
        base: str = "",
        max_cached: int = 100_000,
        caching: ApiCache | None = None,
        url: str = "",
        background: BackgroundFace | None = None,
        **settings: object,
    ) -> None:
        self.clock = Clock()
        self.cache = MemoryCache(self.clock)
        self.breaker = Breaker()
        self.limiter = Limiter()
        self.waiter = ImpatientWaiter()
        settings.setdefault("timers", Timers(connect=2, headers=2, first_byte=2, idle=2, total=5))
        api = Api(
            prefix="/apis/x",
            url=url or server.url + base,
            cache=caching or ApiCache(),
            **settings,  # type: ignore[arg-type]
        )
        self.connector = Connector(self.waiter, TableResolver())
        self.proxy = ApiProxy(
            "x",
            api,
            key,
            self.connector,
            self.cache,
            self.breaker,
            self.limiter,
            waiter=self.waiter,
            max_cached=max_cached,
            clock=self.clock,
            background=background,
        )
        self.now = NOW

    def ask(
        self,
        path: str = "/",
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        query: str = "",
        body: bytes | None = None,
        tenant: int = 1,
    ) -> tuple[ApiAnswer, bytes]:
        """The answer and its whole body."""
        answer = self.proxy.handle(
            method,
            path,
            query,
            list((headers or {}).items()),
            body,
            -1,
            tenant,
            "req-1",
            self.now,
            client_address="192.0.2.9",
            scheme="https",
        )
        try:
            data = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        finally:
            answer.close()
        return answer, data

    def state(self, path: str = "/", headers: dict[str, str] | None = None, **more: object) -> str:
        return self.ask(path, headers, **more)[0].cache_state  # type: ignore[arg-type]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds


