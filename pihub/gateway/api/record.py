"""One journal entry for each request of a generic API, as for a chat."""

from __future__ import annotations

from pihub.domain.brief import brief, wait
from pihub.domain.event import Reason
from pihub.domain.target import Principal
from pihub.domain.whynot import WhyNot, api_reason
from pihub.errors import ClientGone, PihubError
from pihub.gateway.api.answer import ApiAnswer
from pihub.gateway.record import Numbers
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Route
from pihub.shared.state import SharedState

_STATES = {
    "HIT": (CacheState.HIT, Reason.CACHE_EXACT),
    "MISS": (CacheState.MISS, Reason.PASSED_THROUGH),
    "BYPASS": (CacheState.BYPASS, Reason.PASSED_THROUGH),
    "REVALIDATED": (CacheState.HIT, Reason.REVALIDATED),
    "STALE": (CacheState.STALE, Reason.STALE_ON_ERROR),
    "NEGATIVE": (CacheState.NEGATIVE, Reason.KEPT_REFUSAL),
}
_ERROR, _GONE = int(Flag.ERROR), int(Flag.CLIENT_GONE)
_API = int(Route.API)


class ApiRecorder:
    """Writes one API's requests into its worker's journal."""

    def __init__(self, state: SharedState, slot: int, name: str) -> None:
        self._write = state.journal(slot).write
        self._names = Numbers(state.names.intern)
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
        gone = isinstance(error, ClientGone)
        status = 499 if gone else answer.status if answer else error.status if error else 500
        cache, reason = CacheState.NONE, Reason.FAILED
        if answer is not None:
            cache, reason = _STATES[answer.cache_state]
            if answer.reason == "stale-while-revalidate":
                reason = Reason.STALE_MEANWHILE
        elif status < 500:
            reason = Reason.REFUSED
        if gone:
            reason = Reason.CLIENT_GONE
        call = None if answer is None else answer.call
        look = 0 if call is None else call.look
        kept, ttl = (0, 0.0) if call is None else call.kept
        self._write(
            t0_ns,
            [],  # no stages
            rid,
            0,
            0,
            answer.upstream_ns // 1000 if answer is not None else 0,
            0,
            0,
            0,
            0,
            bytes_in,
            answer.bytes_sent if answer is not None else 0,
            principal.key,
            status,
            principal.tenant,
            _API,
            0,
            self._index,
            0,
            cache,
            (_ERROR if error is not None else 0) | (_GONE if gone else 0),
            answer.attempts if answer is not None else 0,
            reason,
            self._names["" if error is None else error.code],
            kept,
            look,
            ttl.__ceil__(),
            _why_not(answer, kept, error),
            0 if call is None else wait(call.queued_ns),
            0 if call is None else brief(call.dialed_ns // 1000),
            0,
        )


def _why_not(answer: ApiAnswer | None, kept: int, error: PihubError | None) -> WhyNot:
    if answer is None or kept:
        return WhyNot.NONE
    why = api_reason(answer.cache_state, answer.reason)
    if why or answer.cache_state != "MISS":
        return why
    if error is not None:
        return WhyNot.UNFINISHED
    # Said to be stored, and was not: longer than was told, or the shard was busy.
    return WhyNot.TOO_LARGE if answer.reason == "stored" else WhyNot.NONE
