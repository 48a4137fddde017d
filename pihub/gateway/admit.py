"""Stage 1: bound the work in flight, more tightly while the machine suffers."""

from __future__ import annotations

from pihub.errors import Overloaded
from pihub.gateway.exchange import Exchange, Stage
from pihub.shared.memory import refuses
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState


class Admit:
    """Refuses with 503 when the worker holds `limit` requests, the lane's included, or when
    memory is so short that the cache's room is spent (shared.memory).

    The gauge is the count: this worker alone writes its row. RAM: a request in flight
    costs its body, one answer and about 30 KiB of stack.
    """

    def __init__(self, state: SharedState, slot: int, limit: int, intake: Stage) -> None:
        """`intake` bounds what was sent, after the request was let in."""
        self._intake = intake
        self._counters = state.counters
        self._cache = state.cache
        self._slot = slot
        self._limit = limit
        self._machine = state.machine

    def __call__(self, x: Exchange) -> None:
        self._counters.add(self._slot, Column.IN_FLIGHT, 1)
        if x.request.begun is None:  # else admitted by the lane, and perhaps paid for
            self._let_in()
        self._intake(x)

    def _let_in(self) -> None:
        if refuses(self._cache):
            raise Overloaded("the machine is short of memory", retry_after=10)
        held = self._counters.get(self._slot, Column.IN_FLIGHT)
        if held > self._limit:
            raise Overloaded("the hub is at its limit of open requests", retry_after=1)
        if held > self._machine.share(self._limit):
            raise Overloaded("the machine is hot or short of power or memory", retry_after=5)

    def release(self, x: Exchange) -> None:
        self._counters.add(self._slot, Column.IN_FLIGHT, -1)
