"""The last stage: one record a request, its counts, its durations."""

from __future__ import annotations

from time import monotonic_ns

from pihub.domain.chat import Usage
from pihub.domain.event import Reason, fallback_reason
from pihub.errors import ChainExhausted, Unsupported
from pihub.gateway.exchange import Exchange
from pihub.gateway.explain import explain
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Column, Series, route_column
from pihub.shared.state import SharedState

TIMED = (
    Series.INSPECT,
    Series.LOOKUP,
    Series.ROUTE,
    Series.CALL,
    Series.RENDER,
    Series.REMEMBER,
)
"""Series of the stages after `admit`, in the pipeline's order."""
STORED_STAGES = 5
"""How many of them stand in the record."""

_CACHE_COLUMNS = {
    CacheState.HIT: Column.HITS,
    CacheState.MISS: Column.MISSES,
    CacheState.BYPASS: Column.BYPASSES,
    CacheState.SHARED: Column.SHARED,
    CacheState.STALE: Column.STALE,
}
_NO_USAGE = Usage()
U32 = 0xFFFFFFFF


class Recorder:
    """Writes the record into this worker's ring, and into counters and histograms."""

    def __init__(self, state: SharedState, slot: int) -> None:
        self._slot = slot
        self._intern = state.names.intern
        self._write = state.events.write
        self._add = state.counters.add
        self._add_route = state.routes.add
        self._time = state.latency.record
        self._names: dict[str, int] = {"": 0}
        self.headers = explain

    def __call__(self, x: Exchange) -> None:
        status = _status(x)
        duration = (monotonic_ns() - x.request.t0_ns) // 1000
        slot = self._slot
        self._add_route(slot, route_column(x.request.route, status), 1)
        self._time(slot, Series.REQUEST, duration)
        if x.ttft_us:
            self._time(slot, Series.TTFT, x.ttft_us)
        self._count(x, status)
        self._store(x, status, duration, self._stages(x))

    def _stages(self, x: Exchange) -> list[int]:
        """Microseconds of each stage that ran; recorded, and the stored ones returned."""
        marks, slot, record = x.marks, self._slot, self._time
        out = [0] * STORED_STAGES
        for index in range(1, len(marks)):
            micros = (marks[index] - marks[index - 1]) // 1000
            record(slot, TIMED[index - 1], micros)
            if index <= STORED_STAGES:
                out[index - 1] = micros if micros < U32 else U32
        return out

    def _count(self, x: Exchange, status: int) -> None:
        slot, add = self._slot, self._add
        add(slot, Column.REQUESTS, 1)
        if x.cache is not CacheState.NONE:
            add(slot, _CACHE_COLUMNS[x.cache], 1)
        if status >= 500:
            add(slot, Column.ERRORS, 1)
        if x.client_gone:
            add(slot, Column.CLIENT_GONE, 1)
        add(slot, Column.BYTES_IN, len(x.request.body))
        add(slot, Column.BYTES_OUT, x.bytes_out)
        if x.target is not None and x.usage is not None:
            add(slot, Column.TOKENS_IN, x.usage.input)
            add(slot, Column.TOKENS_OUT, x.usage.output)
        if x.cost_nano > 0:
            add(slot, Column.COST_NANO, x.cost_nano)
        if x.saved_nano > 0:
            add(slot, Column.SAVED_NANO, x.saved_nano)

    def _store(self, x: Exchange, status: int, duration: int, stages: list[int]) -> None:
        request, usage, target = x.request, x.usage or _NO_USAGE, x.target
        upstream = model = alias = ""
        simulated = False
        if target is not None:
            upstream, model, simulated = target.upstream, target.model, target.simulated
        elif x.stored is not None:
            upstream, model, simulated = x.stored.upstream, x.stored.model, x.stored.simulated
        if model:
            # A client's name is kept only where it led to a target: the table of names
            # is bounded and must not be filled from outside.
            alias = x.alias
        flags = Flag.STREAM * x.streams | Flag.ERROR * (x.error is not None)
        flags |= Flag.CLIENT_GONE * x.client_gone | Flag.SIMULATED * simulated
        flags |= Flag.ESTIMATED * x.estimated
        name = self._name
        self._write(
            self._slot,
            x.wall_ns,
            request.rid,
            x.cost_nano if target is not None else 0,
            x.saved_nano,
            duration if duration < U32 else U32,
            x.ttft_us if x.ttft_us < U32 else U32,
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write_5m + usage.cache_write_1h,
            len(request.body),
            x.bytes_out if x.bytes_out < U32 else U32,
            request.principal.key,
            *stages,
            status,
            request.principal.tenant,
            request.route,
            name(model),
            name(upstream),
            name(alias),
            x.cache,
            flags,
            x.attempts if x.attempts < 255 else 255,
            _reason(x),
            self._slot,
            name(x.error.code if x.error is not None else ""),
        )

    def _name(self, text: str) -> int:
        index = self._names.get(text)
        if index is None:
            index = self._names[text] = self._intern(text)
        return index


def _status(x: Exchange) -> int:
    if x.client_gone:
        return 499
    if x.error is not None:
        return x.error.status
    return x.reply.status if x.reply is not None else 200


def _reason(x: Exchange) -> Reason:
    if x.client_gone:
        return Reason.CLIENT_GONE
    if x.error is not None:
        if isinstance(x.error, ChainExhausted):
            return Reason.CHAIN_EXHAUSTED
        return Reason.FAILED if x.error.status >= 500 else Reason.REFUSED
    if x.target is None:
        shared = x.cache is CacheState.SHARED
        return Reason.FLIGHT_SHARED if shared else Reason.CACHE_CANONICAL
    if x.moved_on is None:
        return Reason.FIRST_CHOICE
    if isinstance(x.moved_on, Unsupported):
        return Reason.UNSUPPORTED_BY_FIRST
    return fallback_reason(x.moved_on)
