"""Stage 1: bound the work in flight."""

from __future__ import annotations

from pihub.errors import Overloaded
from pihub.gateway.exchange import Exchange
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState


class Admit:
    """Refuses with 503 when the worker holds `limit` requests.

    RAM: a request in flight costs its body, one answer and about 30 KiB of stack.
    """

    def __init__(self, state: SharedState, slot: int, limit: int) -> None:
        self._counters = state.counters
        self._slot = slot
        self._limit = limit
        self._held = 0

    def __call__(self, x: Exchange) -> None:
        self._held += 1
        self._counters.add(self._slot, Column.IN_FLIGHT, 1)
        if self._held > self._limit:
            raise Overloaded("the hub is at its limit of open requests", retry_after=1)

    def release(self, x: Exchange) -> None:
        self._held -= 1
        self._counters.add(self._slot, Column.IN_FLIGHT, -1)
