"""A kept chat answer past its time: the same request again, for nobody but the cache.

It goes the way of every request behind the cache's look-up: admission, what its key may do,
policy and routing, breakers, budgets, one record. So it calls no upstream that the request
itself could not have called, and spends what that request's key may spend. The key's rate
was charged when the request came: one request, one call, as with a miss.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from time import monotonic_ns

from pihub.gateway.background import Background
from pihub.gateway.exchange import Exchange
from pihub.gateway.lookup import flight_of
from pihub.shared.answers import AnswerCache
from pihub.shared.events import CacheState


class Refresh:
    """Called with a request that got an answer past its time."""

    def __init__(
        self, background: Background, answers: AnswerCache, run: Callable[[Exchange], bool]
    ) -> None:
        """`run`: the pipeline's; whether there was an answer."""
        self._background = background
        self._answers = answers
        self._run = run

    def __call__(self, x: Exchange) -> None:
        key, request, tenant = x.key, x.request, x.request.principal.tenant
        assert key is not None
        flight = flight_of(x, key)

        def work(client_fd: int) -> bool:
            if self._answers.get(key, tenant) is not None:
                return True  # another was quicker
            rid = int.from_bytes(os.urandom(8), "little")
            again = Exchange(
                replace(
                    request,
                    rid=rid,
                    rid_hex=f"{rid:016x}",
                    t0_ns=monotonic_ns(),
                    client_fd=client_fd,
                    begun=None,
                    deadline_ms=None,
                    trace=(),
                )
            )
            again.refreshes, again.key, again.flights = True, key, [flight]
            again.cache, again.cache_reason = CacheState.MISS, "refresh"
            return self._run(again)

        self._background.begin(flight, work)
