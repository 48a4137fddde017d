"""Breakers and counters of the upstreams, by name; shared by all workers."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic, monotonic_ns

from pihub._core.breaker import CLOSED, HALF_OPEN, OPEN
from pihub.settings.schema import Breaker as BreakerSettings
from pihub.shared.metrics import MAX_UPSTREAMS, UpstreamColumn, upstream_column
from pihub.shared.state import SharedState

STATES = {CLOSED: "closed", OPEN: "open", HALF_OPEN: "half-open"}


class UpstreamHealth:
    """One upstream's breaker and counters, as one worker writes them."""

    def __init__(self, state: SharedState, row: int, slot: int) -> None:
        self._breakers = state.breakers
        self._add = state.upstreams.add
        self._row = row
        self._slot = slot
        self._calls = upstream_column(row, UpstreamColumn.CALLS)
        self._ok = upstream_column(row, UpstreamColumn.OK)
        self._failed = upstream_column(row, UpstreamColumn.FAILED)
        self._timeouts = upstream_column(row, UpstreamColumn.TIMEOUTS)

    def allow(self) -> bool:
        """Whether the upstream may be called now (half-open: one caller at a time)."""
        return self._breakers.allow(self._row, int(monotonic() * 1000))

    def probe(self) -> int:
        """Right after `allow`: the number of the probe that it granted, 0 if it is none."""
        return self._breakers.probe(self._row)

    def release(self, probe: int) -> None:
        """A probe ended and says nothing of the upstream: another may be made at once."""
        if probe:
            self._breakers.release(self._row, probe, int(monotonic() * 1000))

    def called(self) -> None:
        self._add(self._slot, self._calls, 1)

    def record(self, ok: bool, *, timeout: bool = False) -> None:
        """The outcome of a call that `allow` let pass."""
        self._breakers.record(self._row, ok, int(monotonic() * 1000))
        self._add(self._slot, self._ok if ok else self._failed, 1)
        if timeout:
            self._add(self._slot, self._timeouts, 1)

    def retry_in(self) -> float:
        """Seconds until an open breaker lets a probe pass; 0 if it is not open."""
        return self._breakers.retry_in_ms(self._row, _now_ms()) / 1000


class HealthBoard:
    """All upstreams' breakers, read by anyone."""

    def __init__(self, state: SharedState, rows: dict[str, int]) -> None:
        self._state = state
        self.rows = rows

    def snapshot(self) -> dict[str, dict[str, int | str]]:
        """name -> state, ok and failed in the window, calls, failures, timeouts in all."""
        now = _now_ms()
        out: dict[str, dict[str, int | str]] = {}
        for name, row in self.rows.items():
            ok, failed = self._state.breakers.counts(row, now)
            total = self._state.upstreams.total
            out[name] = {
                "state": STATES[self._state.breakers.state(row, now)],
                "ok": ok,
                "failed": failed,
                "calls": total(upstream_column(row, UpstreamColumn.CALLS)),
                "failures": total(upstream_column(row, UpstreamColumn.FAILED)),
                "timeouts": total(upstream_column(row, UpstreamColumn.TIMEOUTS)),
            }
        return out


def upstream_rows(names: Iterable[str]) -> dict[str, int]:
    """Row of each upstream and API, in the order of the configuration.

    Raises ValueError if there are more than MAX_UPSTREAMS.
    """
    rows = {name: row for row, name in enumerate(names)}
    if len(rows) > MAX_UPSTREAMS:
        raise ValueError(f"at most {MAX_UPSTREAMS} upstreams and APIs together")
    return rows


def configure_breaker(state: SharedState, row: int, settings: BreakerSettings) -> None:
    """A probe's lease is as long as the breaker stays open."""
    state.breakers.configure(
        row,
        settings.failures,
        max(1, int(settings.window * 1000)),
        max(1, int(settings.open * 1000)),
        max(1, int(settings.open * 1000)),
    )


def _now_ms() -> int:
    return int(monotonic() * 1000)


class RateLimit:
    """One row of the APIs' limits; a row that was never configured admits all."""

    def __init__(self, state: SharedState, row: int) -> None:
        self._limits = state.api_limits
        self._row = row

    def hit(self) -> float:
        """0 if admitted, else seconds until it would be."""
        return self._limits.hit(self._row, monotonic_ns()) / 1e9
