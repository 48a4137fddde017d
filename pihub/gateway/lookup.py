"""Stage 3: a kept answer, or one that another request is just getting."""

from __future__ import annotations

import time

import msgspec

from pihub.domain.cacheable import why_not_looked_up
from pihub.errors import NotFound
from pihub.gateway.exchange import Exchange
from pihub.protocols.canonical import carries_more
from pihub.shared.answers import AnswerCache
from pihub.shared.events import CacheState
from pihub.shared.flights import Flights


class Lookup:
    """Sets `cache`, `cache_reason`, `key`, `stored` and `leads`."""

    def __init__(
        self, answers: AnswerCache, flights: Flights, *, temperature: float, patience: float
    ) -> None:
        self._answers = answers
        self._flights = flights
        self._temperature = temperature
        self._patience = patience
        """Seconds that a follower waits for its leader."""

    def __call__(self, x: Exchange) -> None:
        reason = why_not_looked_up(x.temperature, x.wish, self._temperature)
        if not reason and any(name == "anthropic-beta" for name, _ in x.request.forward):
            # It may change the answer and stands in no body, so in no key.
            reason = "beta"
        if reason:
            x.cache, x.cache_reason = CacheState.BYPASS, reason
            return
        ask = x.parsed()
        if carries_more(ask):
            x.cache, x.cache_reason = CacheState.BYPASS, "fields-unknown"
            return
        x.key = self._answers.key(ask)
        if self._found(x, CacheState.HIT):
            return
        if x.wish.mode == "only":
            raise NotFound("no kept answer, and x-pihub-cache: only was asked")
        x.cache, x.cache_reason = CacheState.MISS, "not-kept"
        # Two rounds: if the first leader fails, its followers elect one more; whoever
        # then still finds nothing calls by itself.
        for _ in range(2):
            verdict = self._flights.begin(self._flight(x))
            if verdict is None:
                return
            if verdict:
                # The previous leader may have ended between our look and our claim.
                x.leads = True
                if self._found(x, CacheState.SHARED):
                    self.release(x)
                return
            try:
                self._flights.follow(
                    self._flight(x),
                    deadline=time.monotonic() + self._patience,
                    client_fd=x.request.client_fd,
                )
            except TimeoutError:
                return
            if self._found(x, CacheState.SHARED):
                return

    def release(self, x: Exchange) -> None:
        """The leader is done, its answer kept or not: let the followers look."""
        if x.leads:
            x.leads = False
            self._flights.end(self._flight(x))

    def _found(self, x: Exchange, state: CacheState) -> bool:
        assert x.key is not None
        try:
            x.stored = self._answers.get(x.key, x.request.principal.tenant)
        except msgspec.DecodeError:
            return False  # kept by another version of the hub, whose arena this one adopted
        if x.stored is None:
            return False
        x.cache, x.cache_reason = state, "canonical"
        return True

    def _flight(self, x: Exchange) -> int:
        """The in-flight key: the canonical one, apart for each tenant."""
        assert x.key is not None
        return (x.key[0] ^ (x.request.principal.tenant * 0x9E3779B97F4A7C15)) & (2**64 - 1)
