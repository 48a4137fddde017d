"""Breakers and counters of the upstreams, by name; shared by all workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic, monotonic_ns, time
from typing import NamedTuple

from pihub._core.breaker import CLOSED, HALF_OPEN, OPEN
from pihub.settings.schema import Breaker as BreakerSettings
from pihub.shared.metrics import MAX_UPSTREAMS, UpstreamColumn, upstream_column
from pihub.shared.state import SharedState

STATES = {CLOSED: "closed", OPEN: "open", HALF_OPEN: "half-open"}
HOLDS = {"open": OPEN, "closed": CLOSED}


class UpstreamHealth:
    """One upstream's breaker and counters, as one worker writes them."""

    def __init__(self, state: SharedState, row: int, slot: int) -> None:
        self._breakers = state.breakers
        self._add = state.upstreams.add
        self._set = state.upstreams.set
        self._name = state.names.intern
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

    def record(
        self, ok: bool, *, timeout: bool = False, error: str = "", status: int = 0
    ) -> None:
        """The outcome of a call that `allow` let pass; of a failure its code, and the
        upstream's status if it answered."""
        self._breakers.record(self._row, ok, int(monotonic() * 1000))
        self._add(self._slot, self._ok if ok else self._failed, 1)
        if timeout:
            self._add(self._slot, self._timeouts, 1)
        if not ok:
            self._put(UpstreamColumn.ERROR, self._name(error or "failed"))
            self._put(UpstreamColumn.ERROR_STATUS, status)
            self._put(UpstreamColumn.ERROR_AT, int(time()))

    def pool(self, stats: Mapping[str, int]) -> None:
        """What this worker's connections to it do; about once a second."""
        self._put(UpstreamColumn.CONNECTIONS, stats["open"])
        self._put(UpstreamColumn.IDLE, stats["idle"])
        self._put(UpstreamColumn.WAITING, stats["waiting"])

    def held(self) -> bool:
        """Whether an admin has taken it out for a while."""
        found = self._breakers.held(self._row, _now_ms())
        return found is not None and found[0] == OPEN

    def _put(self, column: UpstreamColumn, value: int) -> None:
        self._set(self._slot, upstream_column(self._row, column), value)

    def retry_in(self) -> float:
        """Seconds until an open breaker lets a probe pass; 0 if it is not open."""
        return self._breakers.retry_in_ms(self._row, _now_ms()) / 1000


class LastError(NamedTuple):
    """The newest failure of an upstream, whichever worker saw it."""

    at: int
    """Unix seconds."""
    code: str
    status: int
    """The upstream's; 0: it did not answer."""


class Hold(NamedTuple):
    """A state that an admin chose for a while."""

    state: str
    seconds: float
    """Until it ends by itself."""


class HealthBoard:
    """All upstreams' breakers: read by anyone, held by the control process."""

    def __init__(self, state: SharedState, rows: dict[str, int]) -> None:
        self._state = state
        self.rows = rows

    def snapshot(self) -> dict[str, dict[str, int | str]]:
        """name -> state, `held` (the state that an admin holds, or ""), ok and failed in the
        window, calls, failures, timeouts in all."""
        now = _now_ms()
        out: dict[str, dict[str, int | str]] = {}
        for name, row in self.rows.items():
            ok, failed = self._state.breakers.counts(row, now)
            total = self._state.upstreams.total
            hold = self.held(name)
            out[name] = {
                "state": STATES[self._state.breakers.state(row, now)],
                "held": "" if hold is None else hold.state,
                "ok": ok,
                "failed": failed,
                "calls": total(upstream_column(row, UpstreamColumn.CALLS)),
                "failures": total(upstream_column(row, UpstreamColumn.FAILED)),
                "timeouts": total(upstream_column(row, UpstreamColumn.TIMEOUTS)),
            }
        return out


    def error(self, name: str) -> LastError | None:
        """None: nothing has failed since the hub's start."""
        row, get = self.rows[name], self._state.upstreams.get
        at, slot = max(
            (get(slot, upstream_column(row, UpstreamColumn.ERROR_AT)), slot)
            for slot in range(self._state.slots)
        )
        if not at:
            return None
        number = get(slot, upstream_column(row, UpstreamColumn.ERROR))
        status = get(slot, upstream_column(row, UpstreamColumn.ERROR_STATUS))
        return LastError(at, self._state.names.lookup(number), status)

    def pool(self, name: str) -> tuple[int, int, int]:
        """(open, idle, callers that wait) of all living workers' connections to it."""
        row, get = self.rows[name], self._state.upstreams.get
        alive = [slot for slot, one in enumerate(self._state.incarnations()) if one]
        columns = (UpstreamColumn.CONNECTIONS, UpstreamColumn.IDLE, UpstreamColumn.WAITING)
        opened, idle, waiting = (
            sum(get(slot, upstream_column(row, column)) for slot in alive) for column in columns
        )
        return opened, idle, waiting

    def hold(self, name: str, state: str, seconds: float) -> None:
        """`open`: nobody calls it; `closed`: it is called whatever fails. Ends by itself."""
        until = _now_ms() + int(seconds * 1000)
        self._state.breakers.hold(self.rows[name], HOLDS[state], until)

    def unhold(self, name: str) -> None:
        """End a hold now."""
        self._state.breakers.unhold(self.rows[name], _now_ms())

    def half_open(self, name: str) -> None:
        """An open breaker lets the next caller try; a hold stays."""
        row, now = self.rows[name], _now_ms()
        breakers = self._state.breakers
        if breakers.held(row, now) is None and breakers.state(row, now) == OPEN:
            breakers.force(row, HALF_OPEN, now)

    def held(self, name: str) -> Hold | None:
        found = self._state.breakers.held(self.rows[name], _now_ms())
        return None if found is None else Hold(STATES[found[0]], found[1] / 1000)


def upstream_rows(
    names: Iterable[str], before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Row of each upstream and API, in the order of the configuration.

    `before`: the rows of the image that a reload replaces. A name keeps its row, and its
    breaker, hold and counters with it; a new one gets a row that nobody had, if there is one.
    Raises ValueError if there are more than MAX_UPSTREAMS.
    """
    wanted = list(dict.fromkeys(names))
    if len(wanted) > MAX_UPSTREAMS:
        raise ValueError(f"at most {MAX_UPSTREAMS} upstreams and APIs together")
    known = before or {}
    rows = {name: known[name] for name in wanted if name in known}
    taken = set(rows.values())
    free = [row for row in range(MAX_UPSTREAMS) if row not in taken]
    free.sort(key=lambda row: row in set(known.values()))
    return {name: rows[name] if name in rows else free.pop(0) for name in wanted}


def clear_row(state: SharedState, row: int) -> None:
    """For a name that had no row before: nothing of who had it remains."""
    now = _now_ms()
    state.breakers.unhold(row, now)
    state.breakers.force(row, CLOSED, now)
    for slot in range(state.slots):
        state.cooldowns.set(slot, row, 0)
        for column in UpstreamColumn:
            state.upstreams.set(slot, upstream_column(row, column), 0)


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
