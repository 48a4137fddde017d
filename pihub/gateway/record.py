"""The last stage: one record a request, and what the answer says about itself."""

from __future__ import annotations

from pihub.domain.event import Reason, fallback_reason
from pihub.errors import ChainExhausted, Unsupported
from pihub.gateway.exchange import Exchange
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.metrics import Column, Series, route_column
from pihub.shared.state import SharedState

_CACHE_WORDS = {
    CacheState.HIT: "HIT",
    CacheState.MISS: "MISS",
    CacheState.BYPASS: "BYPASS",
    CacheState.SHARED: "HIT",
    CacheState.STALE: "STALE",
}
_COLUMNS = {
    CacheState.HIT: Column.HITS,
    CacheState.MISS: Column.MISSES,
    CacheState.BYPASS: Column.BYPASSES,
    CacheState.SHARED: Column.SHARED,
    CacheState.STALE: Column.STALE,
}


class Recorder:
    """Writes the record into this worker's ring, and into counters and histograms."""

    def __init__(self, state: SharedState, slot: int) -> None:
        self._state = state
        self._slot = slot
        self._names: dict[str, int] = {}

    def headers(self, x: Exchange) -> list[tuple[str, str]]:
        """The `x-pihub-*` header fields of an answer."""
        out = [("x-pihub-request-id", x.request.rid_hex)]
        if x.cache is not CacheState.NONE:
            reason = "shared" if x.cache is CacheState.SHARED else x.cache_reason
            out.append(("x-pihub-cache", f"{_CACHE_WORDS[x.cache]}; {reason}"))
        if x.stored is not None:
            out.append(("x-pihub-route", x.stored.route))
            out.append(("x-pihub-model", x.stored.model))
            out.append(("x-pihub-cost", "0"))
            out.append(("x-pihub-reason", "kept answer"))
            if x.stored.simulated:
                out.append(("x-pihub-simulated", "1"))
        elif x.target is not None:
            out.append(("x-pihub-route", x.target.name))
            out.append(("x-pihub-model", x.target.model))
            if x.answer is not None and x.cost_nano >= 0:
                out.append(("x-pihub-cost", nano_text(x.cost_nano)))
            out.append(("x-pihub-reason", why(x)))
            if x.target.simulated:
                out.append(("x-pihub-simulated", "1"))
            if x.answer is not None and x.answer.raw_stop:
                out.append(("x-pihub-stop", header_text(x.answer.raw_stop)))
        elif x.failures:
            out.append(("x-pihub-reason", header_text("; ".join(x.failures))))
        return out

    def __call__(self, x: Exchange) -> None:
        status = self._status(x)
        duration = x.elapsed_us()
        slot, add = self._slot, self._state.counters.add
        add(slot, Column.REQUESTS, 1)
        if x.cache is not CacheState.NONE:
            add(slot, _COLUMNS[x.cache], 1)
        if status >= 500:
            add(slot, Column.ERRORS, 1)
        if x.client_gone:
            add(slot, Column.CLIENT_GONE, 1)
        add(slot, Column.BYTES_IN, len(x.request.body))
        add(slot, Column.BYTES_OUT, x.bytes_out)
        if x.usage is not None and x.target is not None:
            add(slot, Column.TOKENS_IN, x.usage.input)
            add(slot, Column.TOKENS_OUT, x.usage.output)
        if x.cost_nano > 0:
            add(slot, Column.COST_NANO, x.cost_nano)
        if x.saved_nano > 0:
            add(slot, Column.SAVED_NANO, x.saved_nano)
        self._state.routes.add(slot, route_column(x.request.route, status), 1)
        latency = self._state.latency
        latency.record(slot, Series.REQUEST, duration)
        if x.ttft_us:
            latency.record(slot, Series.TTFT, x.ttft_us)
        for series, micros in x.marks.items():
            latency.record(slot, series, micros)
        self._state.events.push(slot, self._record(x, status, duration))

    def _record(self, x: Exchange, status: int, duration: int) -> Record:
        usage = x.usage
        marks = x.marks
        flags = 0
        if x.ask is not None and x.ask.stream:
            flags |= Flag.STREAM
        if x.error is not None:
            flags |= Flag.ERROR
        if x.client_gone:
            flags |= Flag.CLIENT_GONE
        if x.estimated:
            flags |= Flag.ESTIMATED
        upstream = model = ""
        if x.target is not None:
            upstream, model = x.target.upstream, x.target.model
            simulated = x.target.simulated
        elif x.stored is not None:
            upstream, model, simulated = x.stored.upstream, x.stored.model, x.stored.simulated
        else:
            simulated = False
        if simulated:
            flags |= Flag.SIMULATED
        # A name from the client is kept only if it is a configured one: the table of
        # names is bounded and must not be filled from outside.
        alias = x.ask.model if x.ask is not None and model else ""
        unbilled = x.target is None or (x.stored is not None and not x.attempts)
        return Record(
            ts_ns=x.wall_ns,
            rid=x.request.rid,
            cost_nano=0 if unbilled else x.cost_nano,
            saved_nano=x.saved_nano,
            dur_us=duration,
            ttft_us=x.ttft_us,
            in_tok=usage.input if usage else 0,
            out_tok=usage.output if usage else 0,
            cache_read_tok=usage.cache_read if usage else 0,
            cache_write_tok=usage.cache_write_5m + usage.cache_write_1h if usage else 0,
            bytes_in=len(x.request.body),
            bytes_out=x.bytes_out,
            key=x.request.principal.key,
            inspect_us=marks.get(Series.INSPECT, 0),
            lookup_us=marks.get(Series.LOOKUP, 0),
            route_us=marks.get(Series.ROUTE, 0),
            call_us=marks.get(Series.CALL, 0),
            render_us=marks.get(Series.RENDER, 0),
            status=status,
            tenant=x.request.principal.tenant,
            route=x.request.route,
            model=self._name(model),
            upstream=self._name(upstream),
            alias=self._name(alias),
            cache=x.cache,
            flags=flags,
            attempts=x.attempts,
            reason=self._reason(x),
            worker=self._slot,
            error=self._name(x.error.code if x.error else ""),
        )

    def _reason(self, x: Exchange) -> Reason:
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

    def _status(self, x: Exchange) -> int:
        if x.client_gone:
            return 499
        if x.error is not None:
            return x.error.status
        return x.reply.status if x.reply is not None else 200

    def _name(self, text: str) -> int:
        if not text:
            return 0
        index = self._names.get(text)
        if index is None:
            index = self._names[text] = self._state.names.intern(text)
        return index


def why(x: Exchange) -> str:
    """Why this target answered, in a few words."""
    if x.failures:
        return header_text("fallback after " + "; ".join(x.failures))
    return "first choice"


def header_text(text: str) -> str:
    """Printable ASCII, at most 300 characters: safe as a header value."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text[:300])
    return clean


def nano_text(nano: int) -> str:
    """nano-USD as decimal USD without trailing zeros: 1500 -> "0.0000015"."""
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").rstrip(".")
