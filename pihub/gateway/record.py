"""The last stage: one entry in the worker's journal, which counts, times and records it."""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.brief import brief, wait
from pihub.domain.chat import Usage
from pihub.domain.event import Reason, fallback_reason
from pihub.domain.whynot import BY_WORD, WhyNot
from pihub.errors import ChainExhausted, OfflineQueued, Unsupported
from pihub.gateway.exchange import Exchange
from pihub.gateway.explain import explain
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Series
from pihub.shared.state import SharedState

TIMED = (
    Series.INSPECT,
    Series.LOOKUP,
    Series.ROUTE,
    Series.CALL,
    Series.RENDER,
    Series.REMEMBER,
)
"""Series of the stages after `admit`, in the pipeline's order; the journal's order, too."""

_NO_USAGE = Usage()
# Members of enums as plain numbers: they are looked up and combined for each request.
_STREAM, _ERROR, _GONE = int(Flag.STREAM), int(Flag.ERROR), int(Flag.CLIENT_GONE)
_SIMULATED, _ESTIMATED = int(Flag.SIMULATED), int(Flag.ESTIMATED)
_SHARED = CacheState.SHARED
_TAKEN = 202
"""Made a job (gateway/offline.py): its answer is recorded by itself."""
_FIRST_CHOICE = Reason.FIRST_CHOICE


class Recorder:
    """Writes one worker's requests into its journal."""

    def __init__(self, state: SharedState, slot: int) -> None:
        self._write = state.journal(slot).write
        self._names = Numbers(state.names.intern)
        self.headers = explain

    def __call__(self, x: Exchange) -> None:
        request, target, stored, error = x.request, x.target, x.stored, x.error
        principal, names = request.principal, self._names
        usage = x.usage or _NO_USAGE
        upstream = model = alias = ""
        simulated = False
        if target is not None:
            upstream, model, simulated = target.upstream, target.model, target.simulated
        elif x.follows is not None:
            source = x.follows.source
            upstream, model, simulated = source.upstream, source.model, source.simulated
        elif stored is not None:
            upstream, model, simulated = stored.upstream, stored.model, stored.simulated
        if model:
            # A client's name is kept only where it led to a target: the table of names
            # is bounded and must not be filled from outside.
            alias = x.alias
        if x.client_gone:
            status, reason = 499, Reason.CLIENT_GONE
        elif error is not None:
            status, reason = error.status, _why_failed(x)
        else:
            status = x.reply.status if x.reply is not None else 200
            plain = target is not None and x.moved_on is None
            plain = plain and not x.hedge_won and not x.refreshes
            reason = _FIRST_CHOICE if plain else _why_not_first(x)
            if status == _TAKEN:
                reason = Reason.QUEUED
        self._write(
            request.t0_ns,
            x.marks,
            request.rid,
            x.cost_nano if target is not None else 0,
            x.saved_nano,
            x.ttft_us,
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write_5m + usage.cache_write_1h,
            len(request.body),
            x.bytes_out,
            principal.key,
            status,
            principal.tenant,
            request.route,
            names[model],
            names[upstream],
            names[alias],
            x.cache,
            (_STREAM if x.streams else 0)
            | (_ERROR if error is not None else 0)
            | (_GONE if x.client_gone else 0)
            | (_SIMULATED if simulated else 0)
            | (_ESTIMATED if x.estimated else 0),
            x.attempts,
            reason,
            names["" if error is None else error.code],
            x.kept,
            0 if x.key is None else x.key[0],
            x.kept_ttl.__ceil__(),
            _why_not(x),
            wait(x.queued_ns),
            brief(x.dialed_ns // 1000),
            x.live.stalls() if x.live is not None and x.streams else 0,
        )


class Numbers(dict[str, int]):
    """Name to its number in the shared table, asked for once. RAM: as many as the table."""

    def __init__(self, intern: Callable[[str], int]) -> None:
        super().__init__({"": 0})
        self._intern = intern

    def __missing__(self, name: str) -> int:
        number = self[name] = self._intern(name)
        return number


def _why_not(x: Exchange) -> WhyNot:
    """Why the cache was not asked, or did not keep the answer."""
    if x.why or x.kept:
        return x.why
    if x.cache is CacheState.BYPASS:
        return BY_WORD.get(x.cache_reason, WhyNot.NONE)
    if x.cache is not CacheState.MISS or x.key is None:
        return WhyNot.NONE
    if x.error is not None:
        return WhyNot.UNFINISHED if x.client_gone or x.pieces is not None else WhyNot.FAILED
    return BY_WORD.get(x.cache_reason, WhyNot.NONE)


def _why_failed(x: Exchange) -> Reason:
    assert x.error is not None
    if x.cache is CacheState.NEGATIVE:
        return Reason.KEPT_REFUSAL
    if isinstance(x.error, OfflineQueued):
        return Reason.QUEUED
    if isinstance(x.error, ChainExhausted):
        return Reason.CHAIN_EXHAUSTED
    return Reason.FAILED if x.error.status >= 500 else Reason.REFUSED


def _why_not_first(x: Exchange) -> Reason:
    if x.hedge_won:
        return Reason.HEDGE_WON
    if x.refreshes:
        return Reason.REFRESHED
    if x.cache is CacheState.STALE:
        return Reason.STALE_MEANWHILE if x.moved_on is None else Reason.STALE_ON_ERROR
    if x.cache_reason.startswith("semantic "):
        return Reason.CACHE_SEMANTIC
    if x.target is None or x.moved_on is None:
        return Reason.FLIGHT_SHARED if x.cache is _SHARED else Reason.CACHE_CANONICAL
    if isinstance(x.moved_on, Unsupported):
        return Reason.UNSUPPORTED_BY_FIRST
    return fallback_reason(x.moved_on)
