"""One `[apis.NAME]`: request in, answer out, by way of cache or upstream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from pihub.domain.ports import Headers, Waiter
from pihub.errors import MethodNotAllowed, PihubError, UpstreamError
from pihub.gateway.api import cache_rules, conditional
from pihub.gateway.api.answer import ApiAnswer, BodyStream, CacheState
from pihub.gateway.api.cache import ApiCache, Entry
from pihub.gateway.api.cache_rules import REFUSALS, Plan, Use
from pihub.gateway.api.call import Call, Caller
from pihub.gateway.api.directives import Directives
from pihub.gateway.api.faces import BackgroundFace, BreakerFace, CacheFace, LimiterFace
from pihub.gateway.api.headers import lowered, relocated, to_client, to_upstream, without
from pihub.gateway.api.http_date import format_date
from pihub.gateway.api.meanwhile import refresh
from pihub.gateway.api.uri import safe_path, safe_query
from pihub.settings.schema import Api
from pihub.upstream.connector import Connector, Response
from pihub.upstream.http_api import HttpApi

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FAILURES: Final = frozenset({500, 502, 503, 504})
"""Statuses that stale-if-error hides (RFC 5861 section 4)."""
_CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "cookie"})


class ApiProxy:
    """The middleware of one API in one worker.

    RAM: a few kB; each request that streams holds one piece of the body, and up to
    `max_cached` bytes while its answer may be stored.
    """

    def __init__(
        self,
        name: str,
        settings: Api,
        api_key: bytes | None,
        connector: Connector,
        cache: CacheFace | None,
        breaker: BreakerFace,
        limiter: LimiterFace | None,
        *,
        waiter: Waiter,
        max_cached: int = 1 << 20,
        clock: Callable[[], int] = time.monotonic_ns,
        background: BackgroundFace | None = None,
    ) -> None:
        """`api_key`: injected into every call, never shown. `limiter` counts requests
        that go upstream. `max_cached`: bytes of the largest body that is stored.
        `background`: where what is given stale is asked for anew; without it the first
        request waits for that.

        Raises ConfigError for a bad URL or key.
        """
        self.name = name
        self._settings = settings
        self._methods = frozenset(settings.methods)
        self._prefix = settings.prefix.rstrip("/")
        self._forward = frozenset(h.lower() for h in settings.forward_headers)
        self._api = HttpApi(name, settings, api_key, connector)
        self._caller = Caller(self._api, waiter, breaker, limiter, settings.retries)
        self._cache: ApiCache | None = None
        if cache is not None and settings.cache.enabled:
            self._cache = ApiCache(name, cache, max_value=max_cached, clock=clock)
        self._clock = clock
        self._refreshing: set[tuple[str, int]] = set()
        self._background = background

    def handle(
        self,
        method: str,
        path_rest: str,
        query: str,
        headers: Headers,
        body: bytes | Iterable[bytes] | None,
        client_fd: int,
        tenant: int,
        request_id: str,
        now: float,
        *,
        client_address: str = "",
        scheme: str = "http",
        body_length: int = -1,
    ) -> ApiAnswer:
        """Answer one request.

        `path_rest`: the raw (percent-encoded) path after the API's prefix. `query`:
        raw, without `?`. `now`: wall clock, Unix seconds. `client_address`, `scheme`:
        who asked and how, for X-Forwarded-*. `body_length`: of a body in pieces, if it
        is known; else it goes upstream chunked. The caller must iterate a streamed body
        and close the answer.

        Raises MethodNotAllowed, BadRequest, RateLimited, BreakerOpen, the upstream's
        errors, ClientGone.
        """
        if method not in self._methods:
            raise MethodNotAllowed(f"the API {self.name} does not allow this method")
        target = safe_path(path_rest)
        if query:
            target += "?" + safe_query(query)
        asked = lowered(headers)
        sent = to_upstream(
            asked, allowed=self._forward, client_address=client_address, scheme=scheme
        )
        if request_id:
            sent = [*without(sent, ("x-request-id",)), ("x-request-id", request_id)]
        call = Call(
            method,
            target,
            asked,
            sent,
            body or None,
            body_length=body_length,
            client_fd=client_fd,
            tenant=tenant,
            now=now,
        )
        cache = self._cache
        reason = "off" if cache is None else cache_rules.may_be_looked_up(method, asked)
        if cache is None or reason:
            return self._bypass(call, reason)
        return self._cached(call, cache)

    def _bypass(self, call: Call, reason: str) -> ApiAnswer:
        response = self._caller.fetch(call, call.sent)
        if self._cache is not None and call.method not in _SAFE and response.status < 400:
            self._invalidate(self._cache, call, response)
        return self._through(call, response, "BYPASS", reason)

    def _cached(self, call: Call, cache: ApiCache) -> ApiAnswer:
        call.look = cache.look(call.target)
        entry = cache.get(call.target, call.sent, call.tenant)
        use = Use.VALIDATE
        if entry is not None:
            use = cache_rules.usable(call.asked, entry.plan, cache.resident(entry))
            if use is Use.SERVE:
                word: CacheState = "NEGATIVE" if entry.status in REFUSALS else "HIT"
                return self._stored(call, cache, entry, word, "fresh")
            if use is Use.SERVE_STALE:
                return self._stored(call, cache, entry, "STALE", "max-stale")
        if "only-if-cached" in Directives(call.asked):
            return ApiAnswer(504, [("date", format_date(call.now))], b"", "MISS",
                             "only-if-cached", length=0)  # fmt: skip
        if entry is None or use is not Use.REFRESH:
            return self._validate(call, cache, entry)
        if self._background is not None:
            refresh(self._background, cache, call, self._validate)
            return self._stored(call, cache, entry, "STALE", "stale-while-revalidate")
        key = (call.target, call.tenant)
        if key in self._refreshing:
            return self._stored(call, cache, entry, "STALE", "stale-while-revalidate")
        self._refreshing.add(key)
        try:
            return self._validate(call, cache, entry)
        finally:
            self._refreshing.discard(key)

    def _validate(self, call: Call, cache: ApiCache, entry: Entry | None) -> ApiAnswer:
        """Ask the upstream, with the stored answer's validators if there are any."""
        conditions: list[tuple[str, str]] = []
        if entry is not None and call.method == "GET":
            conditions = conditional.for_upstream(call.sent, entry.headers)
        asked_ns = self._clock()
        begin = call.elapsed()
        try:
            response = self._caller.fetch(call, conditions or call.sent)
        except UpstreamError as error:
            if entry is not None and self._covers_error(call, cache, entry):
                return self._stored(call, cache, entry, "STALE", error.code)
            raise
        if entry is None:
            return self._through(call, response, "MISS", "", asked_ns, begin)
        if response.status == 304 and conditions:
            if conditional.same_representation(entry.headers, response.headers):
                return self._freshen(call, cache, entry, response, asked_ns, begin)
            response.close()
            asked_ns, begin = self._clock(), call.elapsed()
            response = self._caller.fetch(call, without(call.sent, conditional.CONDITIONS))
        if response.status in _FAILURES and self._covers_error(call, cache, entry):
            response.close()
            return self._stored(call, cache, entry, "STALE", f"status {response.status}")
        return self._through(call, response, "MISS", "", asked_ns, begin)

    def _covers_error(self, call: Call, cache: ApiCache, entry: Entry) -> bool:
        return cache_rules.usable_on_error(call.asked, entry.plan, cache.resident(entry))

    def _freshen(
        self,
        call: Call,
        cache: ApiCache,
        entry: Entry,
        response: Response,
        asked_ns: int,
        begin: float,
    ) -> ApiAnswer:
        response.close()
        headers = conditional.freshened(entry.headers, self._shown(call, response))
        plan = self._plan(call, entry.status, headers, begin)
        if isinstance(plan, Plan):
            self._store(call, cache, entry.status, headers, entry.body, plan, asked_ns)
            entry = Entry(entry.status, headers, entry.body, plan, asked_ns, self._clock())
        else:
            cache.invalidate(call.target, call.tenant)
        return self._stored(call, cache, entry, "REVALIDATED", "")

    def _stored(
        self, call: Call, cache: ApiCache, entry: Entry, state: CacheState, reason: str
    ) -> ApiAnswer:
        """A stored answer, as a 304 if the client has it already."""
        headers = without(entry.headers, ("age",))
        headers.append(("age", str(int(entry.plan.age + cache.resident(entry)))))
        status, body, length = entry.status, entry.body, len(entry.body)
        if conditional.not_modified(call.asked, status, headers):
            status, headers, body, length = 304, conditional.head_of_304(headers), b"", -1
        elif call.method == "HEAD":
            body = b""
        elif status == 204:
            length = -1
        return ApiAnswer(status, headers, body, state, reason, length=length, call=call,
                         attempts=call.attempts, upstream_ns=call.upstream_ns)  # fmt: skip

    def _through(
        self,
        call: Call,
        response: Response,
        state: CacheState,
        reason: str,
        asked_ns: int = 0,
        begin: float = 0.0,
    ) -> ApiAnswer:
        """The upstream's answer, stored on its way if state is MISS and the rules allow."""
        headers = self._shown(call, response)
        keep = 0
        store: Callable[[bytes], None] = _forget
        cache = self._cache
        if state == "MISS" and cache is not None:
            plan = self._plan(call, response.status, headers, begin)
            if isinstance(plan, str):
                reason = plan
            elif call.method != "GET":
                reason = "method"
            elif response.length > cache.max_value:
                reason = "too large"
            else:
                reason = "stored"
                keep = cache.max_value
                kept = list(headers)

                def store(body: bytes) -> None:
                    self._store(call, cache, response.status, kept, body, plan, asked_ns)

        body: bytes | BodyStream
        length = response.length
        if response.complete:
            body = response.read_all(1 << 30)
            if keep:
                store(body)
            if response.framing != "none":
                length = len(body)
        else:
            body = BodyStream(response, keep=keep, done=store, outcome=self._broke_off)
        return ApiAnswer(response.status, headers, body, state, reason, length=length,
                         attempts=call.attempts, upstream_status=response.status,
                         upstream_ns=call.upstream_ns, call=call)  # fmt: skip

    def _broke_off(self, error: PihubError) -> None:
        self._caller.broke_off()

    def _plan(
        self, call: Call, status: int, headers: Headers, begin: float
    ) -> Plan | str:
        rules = self._settings.cache
        own = self._api.has_credential and not rules.private
        return cache_rules.plan(
            status,
            headers,
            now=call.now + call.elapsed(),
            delay=call.elapsed() - begin,
            default_ttl=rules.default_ttl,
            stale_if_error=rules.stale_if_error,
            stale_while_revalidate=rules.stale_while_revalidate,
            negative_ttl=rules.negative_ttl,
            authorized=own or any(name in _CREDENTIALS for name, _ in call.sent),
        )

    def _store(
        self,
        call: Call,
        cache: ApiCache,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        plan: Plan,
        asked_ns: int,
    ) -> None:
        size = cache.put(call.target, call.sent, call.tenant, status=status, headers=headers,
                         body=body, plan=plan, asked_ns=asked_ns)  # fmt: skip
        call.kept = (size, max(plan.lifetime - plan.age, 0.0))

    def _shown(self, call: Call, response: Response) -> list[tuple[str, str]]:
        """The answer's fields for the client."""
        headers = to_client(response.headers)
        dated = False
        for index, (name, value) in enumerate(headers):
            if name in ("location", "content-location"):
                headers[index] = (name, self._relocated(value, self._prefix))
            elif name == "date":
                dated = True
        if not dated:
            headers.append(("date", format_date(call.now + call.elapsed())))
        return headers

    def _relocated(self, value: str, prefix: str) -> str:
        return relocated(value, self._api.authorities, self._api.base_path, prefix)

    def _invalidate(self, cache: ApiCache, call: Call, response: Response) -> None:
        """RFC 9111 section 4.4: the target, and what the answer says it changed."""
        cache.invalidate(call.target, call.tenant)
        for name, value in response.headers:
            if name in ("location", "content-location"):
                place = self._relocated(value, "").partition("#")[0]
                if place.startswith("/"):
                    cache.invalidate(place, call.tenant)


def _forget(body: bytes) -> None:
    """The answer is not to be stored."""
