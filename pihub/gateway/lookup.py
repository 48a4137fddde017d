"""Stage 3: a kept answer, or one that another request is just getting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pihub.domain.cacheable import why_not_looked_up
from pihub.domain.chat import Answer
from pihub.domain.prompt_mode import MODES
from pihub.errors import BadRequest, IdempotencyMismatch, NotFound
from pihub.gateway.exchange import Exchange
from pihub.gateway.negatives import Negatives
from pihub.gateway.semantic import Semantic
from pihub.protocols.canonical import carries_more
from pihub.shared.answers import AnswerCache, Key, Once, Stored
from pihub.shared.events import CacheState
from pihub.shared.flights import Flights
from pihub.shared.relay import Relay

LONGEST_KEY = 255
"""Characters of an Idempotency-Key (Stripe's bound, as the IETF draft has none)."""


@dataclass(frozen=True)
class Sharing:
    """How answers are shared beyond the cache. `once_ttl`: seconds that an answer is kept
    for its Idempotency-Key."""

    relay: Relay
    once_ttl: float = 86400.0


@dataclass(frozen=True)
class Stale:
    """How long after its time a kept answer may still be given, in seconds."""

    if_error: float = 0.0
    meanwhile: float = 0.0
    refresh: Callable[[Exchange], None] | None = None
    """Fetches it anew, without waiting (refresh.py)."""


class Lookup:
    """Sets `cache`, `cache_reason`, `key`, `once`, `flights` and either `stored` or `pieces`.

    Raises NotFound (`only`), IdempotencyMismatch, BadRequest, and what an upstream refused.
    """

    def __init__(
        self,
        answers: AnswerCache,
        flights: Flights,
        *,
        temperature: float,
        patience: float,
        sharing: Sharing | None = None,
        stale: Stale | None = None,
        negatives: Negatives | None = None,
        semantic: Semantic | None = None,
    ) -> None:
        self._semantic = semantic
        self._answers = answers
        self._flights = flights
        self._temperature = temperature
        self._patience = patience
        """Seconds that a follower waits for its leader."""
        self._sharing = sharing
        self._stale = stale or Stale()
        self._negatives = negatives

    def __call__(self, x: Exchange) -> None:
        if x.refreshes:
            return
        if self._negatives is not None:
            self._negatives.find(x)
        if x.request.once is not None and self._once(x):
            return
        reason = why_not_looked_up(x.temperature, x.wish, self._temperature)
        if not reason and any(name == "anthropic-beta" for name, _ in x.request.forward):
            # It may change the answer and stands in no body, so in no key.
            reason = "beta"
        if x.prompt is not None and (x.prompt.found or x.prompt.signs):
            # What was found is kept nowhere, and every such request is told of and counted.
            reason = reason or "prompt-found"
        if reason:
            x.cache, x.cache_reason = CacheState.BYPASS, reason
            if x.once is None:
                self._take_up(x)
            return
        ask = x.parsed()
        if carries_more(ask):
            x.cache, x.cache_reason = CacheState.BYPASS, "fields-unknown"
            return
        x.key = apart(self._answers.key(ask), x)
        if self._found(x, CacheState.HIT) or self._meanwhile(x):
            return
        if x.wish.mode == "only":
            raise NotFound("no kept answer, and x-pihub-cache: only was asked")
        x.cache, x.cache_reason = CacheState.MISS, "not-kept"
        shared = self._share(x, flight_of(x, x.key), lambda: self._left(x))
        if not shared and self._semantic is not None:
            self._semantic.find(x, lambda rest: apart(self._answers.key(rest), x))

    def stale(self, x: Exchange) -> bool:
        """After every target has failed: an answer that is past its time, as far as
        `cache.stale_if_error` allows."""
        return not x.refreshes and self._past(x, self._stale.if_error)

    def release(self, x: Exchange) -> None:
        """The leader is done, its answer kept or not: let the followers look."""
        flights, x.flights = x.flights, []
        if flights and x.once is not None:
            self._settle_once(x, x.once)
        if x.refused and self._negatives is not None:
            self._negatives.keep(x)
        for flight in flights:
            self._flights.end(flight)

    # ---- one running answer for all who ask the same -------------------------------

    def _share(self, x: Exchange, flight: int, found: Callable[[], bool]) -> bool:
        """Lead `flight`, or get what its leader gets; whether it was got.

        Two rounds: if the first leader fails, its followers elect one more; whoever then
        still finds nothing calls by itself.
        """
        for _ in range(2):
            verdict = self._flights.begin(flight)
            if verdict is None:
                return False
            if verdict:
                # The previous leader may have ended between our look and our claim.
                x.flights.append(flight)
                if found():
                    self.release(x)
                    return True
                return False
            try:
                if self._follow(x, flight):
                    return True
            except TimeoutError:
                return False
            if found():
                return True
        return False

    def _follow(self, x: Exchange, flight: int) -> bool:
        """Whether a stream was joined; else the leader is done. Raises TimeoutError."""
        deadline = time.monotonic() + self._patience
        if not x.streams or self._sharing is None:
            self._flights.follow(flight, deadline=deadline, client_fd=x.request.client_fd)
            return False
        turn = self._flights.following(flight)
        try:
            while not self._join(x, flight):
                if self._flights.leader(flight) < 0:
                    return False
                turn.wait(deadline, x.request.client_fd)
            return True
        finally:
            turn.leave()

    def _join(self, x: Exchange, flight: int) -> bool:
        assert self._sharing is not None
        tenant = x.request.principal.tenant
        keys = [key for key in (x.once, x.key) if key is not None]

        def final() -> Answer | None:
            for key in keys:
                stored = self._stored(key, tenant)
                if stored is not None:
                    return stored.answer
            return None

        x.follows = self._sharing.relay.join(
            flight, tenant, patience=self._patience, client_fd=x.request.client_fd, final=final
        )
        if x.follows is None:
            return False
        x.pieces = x.follows
        x.cache, x.cache_reason = CacheState.SHARED, "live"
        return True

    def _take_up(self, x: Exchange) -> None:
        """Go on with the same stream, if this key's client lost it a moment ago."""
        request = x.request
        if request.exact is None:
            return
        key = self._answers.orphan_key(request.exact, request.principal.key)
        if not x.streams or request.begun is not None or x.wish.mode == "off":
            return
        flight = flight_of(x, key)
        if self._flights.leader(flight) >= 0 and self._join(x, flight):
            # Registered as one who waits for news, or the leader has just ended.
            if self._flights.begin(flight):
                self._flights.end(flight)
            x.cache_reason = "re-attached"
            return
        stored = self._stored(key, request.principal.tenant)
        if stored is not None:
            self._answers.delete(key, request.principal.tenant)
            x.stored, x.cache, x.cache_reason = stored, CacheState.SHARED, "re-attached"

    # ---- Idempotency-Key -----------------------------------------------------------

    def _once(self, x: Exchange) -> bool:
        """Whether the answer of an earlier request with this key was found or joined."""
        name, exact = x.request.once, x.request.exact
        assert name is not None
        check_once(name)
        if exact is None:
            return False
        who = x.request.principal
        x.once = self._answers.once_key(who.key, name)

        def found() -> bool:
            return self._found_once(x, exact)

        if found():
            return True
        # With the body: another one under the same key must never be followed.
        flight = flight_of(x, x.once) ^ exact[0]
        shared = self._share(x, flight, found)
        if not shared and x.leads:
            # Until the answer is there, others learn from this whether they ask the same.
            ttl = self._once_ttl()
            self._answers.put_once(x.once, who.tenant, Once(exact, None), ttl)
        return shared

    def _found_once(self, x: Exchange, exact: Key) -> bool:
        assert x.once is not None
        once = self._answers.get_once(x.once, x.request.principal.tenant)
        if once is None:
            return False
        if once.body != exact:
            raise IdempotencyMismatch(
                "this Idempotency-Key was used with another body: repeat the same request, "
                "or choose a new key",
                param="idempotency-key",
            )
        if once.stored is None:
            return False
        x.stored = once.stored
        x.cache, x.cache_reason = CacheState.HIT, "idempotency-key"
        return True

    def _settle_once(self, x: Exchange, key: Key) -> None:
        """Keep the answer for the key, or forget that it was used: a failure is tried again."""
        assert x.request.exact is not None
        tenant = x.request.principal.tenant
        once = self._answers.get_once(key, tenant)
        if once is not None and once.body != x.request.exact:
            return
        if x.stored is not None and x.error is None:
            kept = Once(x.request.exact, x.stored)
            if self._answers.put_once(key, tenant, kept, self._once_ttl()):
                return
        self._answers.delete(key, tenant)

    def _once_ttl(self) -> float:
        return 86400.0 if self._sharing is None else self._sharing.once_ttl

    # ---- what is kept --------------------------------------------------------------

    def _left(self, x: Exchange) -> bool:
        """Whether the leader left an answer. Raises the refusal that it left."""
        if self._negatives is not None:
            self._negatives.find(x)
        return self._found(x, CacheState.SHARED)

    def _meanwhile(self, x: Exchange) -> bool:
        """An answer past its time, given at once while it is fetched anew."""
        refresh = self._stale.refresh
        if refresh is None or x.wish.mode == "only" or x.request.begun is not None:
            return False
        if not self._past(x, self._stale.meanwhile):
            return False
        x.cache_reason = "stale-while-revalidate"
        refresh(x)
        return True

    def _past(self, x: Exchange, most: float) -> bool:
        """A kept answer at most so many seconds past its time."""
        if x.key is None or not most:
            return False
        try:
            found = self._answers.get_stale(x.key, x.request.principal.tenant)
        except msgspec.DecodeError:
            return False
        if found is None or found[1] > most:
            return False
        x.stored, past = found
        x.cache, x.cache_reason = CacheState.STALE, f"{max(past, 0)} s past its time"
        return True

    def _found(self, x: Exchange, state: CacheState) -> bool:
        assert x.key is not None
        x.stored = self._stored(x.key, x.request.principal.tenant)
        if x.stored is None:
            return False
        x.cache, x.cache_reason = state, "canonical"
        return True

    def _stored(self, key: Key, tenant: int) -> Stored | None:
        try:
            return self._answers.get(key, tenant)
        except msgspec.DecodeError:
            return None  # kept by another version of the hub, whose arena this one adopted


def check_once(name: str) -> None:
    """Raises BadRequest for what is no Idempotency-Key."""
    if not 0 < len(name) <= LONGEST_KEY or not name.isprintable():
        raise BadRequest(
            f"an Idempotency-Key has 1 to {LONGEST_KEY} printable characters",
            param="idempotency-key",
        )


def apart(key: Key, x: Exchange) -> Key:
    """A key that keys of another prompt policy do not share."""
    if x.prompt is None:
        return key
    return (key[0] ^ (MODES.index(x.prompt.mode) * 0x9E3779B97F4A7C15) & (2**64 - 1), key[1])


def flight_of(x: Exchange, key: Key) -> int:
    """The in-flight key of a cache key, apart for each tenant."""
    return (key[0] ^ (x.request.principal.tenant * 0x9E3779B97F4A7C15)) & (2**64 - 1)
