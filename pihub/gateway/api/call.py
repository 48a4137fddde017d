"""One client request on its way upstream, with retries, breaker and limit."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from pihub.domain.ports import Headers, Waiter
from pihub.errors import BreakerOpen, RateLimited, UpstreamBusy, UpstreamError
from pihub.gateway.api.faces import BreakerFace, LimiterFace
from pihub.gateway.api.retry import (
    PATIENCE,
    RetryBudget,
    backoff,
    retry_after,
    retryable_error,
    retryable_status,
)
from pihub.upstream.connector import Response
from pihub.upstream.http_api import HttpApi


class Call:
    """What one request needs of its way; `sent` are the fields that go upstream."""

    __slots__ = (
        "asked",
        "attempts",
        "body",
        "body_length",
        "client_fd",
        "dialed_ns",
        "kept",
        "limited",
        "look",
        "method",
        "now",
        "queued_ns",
        "sent",
        "started_ns",
        "target",
        "tenant",
        "upstream_ns",
    )

    def __init__(
        self,
        method: str,
        target: str,
        asked: Headers,
        sent: Headers,
        body: bytes | Iterable[bytes] | None,
        *,
        body_length: int,
        client_fd: int,
        tenant: int,
        now: float,
    ) -> None:
        self.method = method
        self.target = target
        self.asked = asked
        """The client's own fields, names in lower case."""
        self.sent = sent
        self.body = body
        self.body_length = body_length
        self.client_fd = client_fd
        self.tenant = tenant
        self.now = now
        """Wall clock at the request's arrival, Unix seconds."""
        self.started_ns = time.monotonic_ns()
        self.attempts = 0
        self.limited = False
        """The API's rate was asked for this request already."""
        self.look = 0
        """What it looked for in the cache (`ApiCache.look`); 0: it did not."""
        self.kept = (0, 0.0)
        """(bytes that its answer takes in the cache, seconds that it is fresh)."""
        self.queued_ns = 0
        self.dialed_ns = 0
        """Waited for places in the pool, and spent on new connections, in all attempts."""
        self.upstream_ns = 0
        """From the arrival to the head of the answer, ns."""

    def again(self, client_fd: int) -> Call:
        """The same GET anew, for whoever `client_fd` stands for."""
        return Call(
            "GET",
            self.target,
            (),
            self.sent,
            None,
            body_length=-1,
            client_fd=client_fd,
            tenant=self.tenant,
            now=self.now + self.elapsed(),
        )

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return (time.monotonic_ns() - self.started_ns) / 1e9


class Caller:
    """Calls one API."""

    def __init__(
        self,
        api: HttpApi,
        waiter: Waiter,
        breaker: BreakerFace,
        limiter: LimiterFace | None,
        retries: int,
    ) -> None:
        self._api = api
        self._waiter = waiter
        self._breaker = breaker
        self._limiter = limiter
        self._retries = retries
        self._budget = RetryBudget()

    def fetch(self, call: Call, headers: Headers) -> Response:
        """The upstream's answer, whatever its status; its body is yet to be read.

        Raises RateLimited, BreakerOpen, the UpstreamError of the last attempt, ClientGone.
        """
        self._admit(call)
        self._budget.request()
        retry = 0
        while True:
            self._allow()
            self._breaker.called()
            call.attempts += 1
            wait = backoff(retry)
            try:
                response = self._send(call, headers, retry)
            except UpstreamBusy:
                # Our own queue is full: that says nothing of the upstream.
                raise
            except UpstreamError as error:
                self._breaker.record(False, error=error.code)
                if not retryable_error(error, call.method) or not self._again(call, retry, wait):
                    raise
            else:
                call.upstream_ns = time.monotonic_ns() - call.started_ns
                self._breaker.record(response.status < 500, error="status", status=response.status)
                if not retryable_status(response.status, call.method):
                    return response
                told = retry_after(response.header("retry-after"), call.now + call.elapsed())
                wait = wait if told is None else told
                if wait > PATIENCE or not self._again(call, retry, wait):
                    return response
                response.close()
            self._waiter.sleep(wait, client_fd=call.client_fd)
            retry += 1

    def broke_off(self) -> None:
        """An answer that had begun did not end."""
        self._breaker.record(False, error="cut")

    def _admit(self, call: Call) -> None:
        if self._limiter is None or call.limited:
            return
        call.limited = True
        wait = self._limiter.hit()
        if wait > 0:
            raise RateLimited("this API's rate is used up", retry_after=wait)

    def _allow(self) -> None:
        if not self._breaker.allow():
            held = self._breaker.held()
            why = "was taken out by an admin" if held else "is resting after failures"
            raise BreakerOpen(f"the API {why}", retry_after=self._breaker.retry_in() or None)

    def _send(self, call: Call, headers: Headers, retry: int) -> Response:
        timers = self._api.timers
        if retry or call.attempts > 1:
            # All attempts together keep the total.
            timers = msgspec.structs.replace(
                timers, total=max(timers.total - call.elapsed(), 0.001)
            )
        return self._api.send(
            call.method,
            call.target,
            headers,
            call.body,
            timers,
            client_fd=call.client_fd,
            length=call.body_length,
            spent=call,
        )

    def _again(self, call: Call, retry: int, wait: float) -> bool:
        """Whether another attempt is made after `wait` seconds."""
        if call.body is not None and not isinstance(call.body, bytes):
            return False  # its pieces are gone
        if retry >= self._retries or call.elapsed() + wait >= self._api.timers.total:
            return False
        return self._budget.take()
