"""What goes on after its client has left: paid answers, and those that others follow.

A client that lost its connection often asks again at once. If the answer is paid for, it
is received further for a while (`streams.linger`), in the background of the same worker,
and whoever repeats the request under the same API key joins it: what came so far, then
live. An answer that is complete by then is kept for as long again, for one such repeat.
With an Idempotency-Key, or while somebody follows, it is received to its end. That its client
has left is noticed when a piece cannot be sent, so an upstream that is silent just then is left
by its `idle` timer.

RAM: the collected answer, as of any stream; the request goes on counting as one in flight.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from pihub.domain.target import Target
from pihub.gateway.exchange import Exchange
from pihub.gateway.lookup import flight_of
from pihub.gateway.remember import Remember
from pihub.shared.answers import AnswerCache
from pihub.shared.flights import Flights

log = logging.getLogger("pihub.gateway")


class Prices(Protocol):
    def is_free(self, kind: str, model: str) -> bool: ...


class Linger:
    """One worker's. `seconds`: how long; 0: everything ends with its client."""

    def __init__(
        self,
        seconds: float,
        prices: Prices,
        answers: AnswerCache,
        flights: Flights,
        spawn: Callable[[Callable[[], None]], None],
    ) -> None:
        self._seconds = seconds
        self._prices = prices
        self._answers = answers
        self._flights = flights
        self._spawn = spawn

    def may(self, x: Exchange, target: Target) -> bool:
        """Whether a call of `target` may outlive its client; asked before it is made."""
        if not self._seconds:
            return False
        if x.once is not None or not self._prices.is_free(target.kind, target.model):
            return True
        return x.leads and x.streams

    def begin(self, x: Exchange, followed: bool) -> bool:
        """The client of a running stream has left: whether it goes on."""
        target, request = x.target, x.request
        if not x.goes_on or target is None:
            return False
        if followed or x.once is not None:
            return True
        if self._prices.is_free(target.kind, target.model):
            return False
        if not x.leads and request.exact is not None and x.wish.mode != "off":
            flight = flight_of(x, self._answers.orphan_key(request.exact, request.principal.key))
            if self._flights.begin(flight):
                x.flights.append(flight)
        return True

    def spawn(self, work: Callable[[], None]) -> None:
        self._spawn(work)

    def deadline(self, x: Exchange) -> float:
        """Until when it goes on if nobody follows; `monotonic` seconds."""
        return float("inf") if x.once is not None else monotonic() + self._seconds

    def keep(self, x: Exchange, remember: Remember) -> None:
        """A complete answer that its client never got, for one repeat of the request."""
        request = x.request
        if x.key is not None or x.once is not None or request.exact is None:
            return
        stored = remember.stored(x)
        if stored is not None and x.error is None and x.wish.mode != "off":
            key = self._answers.orphan_key(request.exact, request.principal.key)
            tenant, tag = request.principal.tenant, remember.tag(x)
            self._answers.put(key, tenant, stored, self._seconds, tag=tag)
