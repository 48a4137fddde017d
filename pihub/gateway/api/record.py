"""One record for each request of a generic API, as for a chat."""

from __future__ import annotations

from time import monotonic_ns, time_ns

from pihub.domain.event import Reason
from pihub.domain.target import Principal
from pihub.errors import ClientGone, PihubError
from pihub.gateway.api.answer import ApiAnswer
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Column, Route, Series, route_column
from pihub.shared.state import SharedState

_STATES = {
    "HIT": (CacheState.HIT, Column.HITS, Reason.CACHE_EXACT),
    "MISS": (CacheState.MISS, Column.MISSES, Reason.PASSED_THROUGH),
    "BYPASS": (CacheState.BYPASS, Column.BYPASSES, Reason.PASSED_THROUGH),
    "REVALIDATED": (CacheState.HIT, Column.HITS, Reason.REVALIDATED),
    "STALE": (CacheState.STALE, Column.STALE, Reason.STALE_ON_ERROR),
}
U32 = 0xFFFFFFFF


class ApiRecorder:
    """Writes one API's requests into this worker's ring and counters."""

    def __init__(self, state: SharedState, slot: int, name: str) -> None:
        self._state = state
        self._slot = slot
        self._index = state.names.intern(name)

    def __call__(
        self,
        *,
        rid: int,
        t0_ns: int,
        principal: Principal,
        answer: ApiAnswer | None,
        error: PihubError | None,
        bytes_in: int,
    ) -> None:
        """After the last byte, or the error that took its place."""
        state, slot = self._state, self._slot
        duration = (monotonic_ns() - t0_ns) // 1000
        gone = isinstance(error, ClientGone)
        status = 499 if gone else answer.status if answer else error.status if error else 500
        cache, column, reason = CacheState.NONE, None, Reason.FAILED
        if answer is not None:
            cache, column, reason = _STATES[answer.cache_state]
        elif status < 500:
            reason = Reason.REFUSED
        if gone:
            reason = Reason.CLIENT_GONE
        sent = answer.bytes_sent if answer is not None else 0
        add = state.counters.add
        add(slot, Column.REQUESTS, 1)
        if column is not None:
            add(slot, column, 1)
        if status >= 500:
            add(slot, Column.ERRORS, 1)
        if gone:
            add(slot, Column.CLIENT_GONE, 1)
        add(slot, Column.BYTES_IN, bytes_in)
        add(slot, Column.BYTES_OUT, sent)
        state.routes.add(slot, route_column(Route.API, status), 1)
        state.latency.record(slot, Series.REQUEST, duration)
        state.events.write(
            slot,
            time_ns() - (monotonic_ns() - t0_ns),
            rid,
            0,
            0,
            min(duration, U32),
            min(answer.upstream_ns // 1000, U32) if answer is not None else 0,
            0,
            0,
            0,
            0,
            min(bytes_in, U32),
            min(sent, U32),
            principal.key,
            *(0,) * 5,
            status,
            principal.tenant,
            Route.API,
            0,
            self._index,
            0,
            cache,
            Flag.ERROR * (error is not None) | Flag.CLIENT_GONE * gone,
            min(answer.attempts, 255) if answer is not None else 0,
            reason,
            slot,
            state.names.intern(error.code) if error is not None else 0,
        )
