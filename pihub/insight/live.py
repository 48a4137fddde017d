"""The live picture of the hub, as JSON: built once, read by every viewer.

It is rebuilt each second while somebody looks and every five seconds else, so its cost
does not depend on the number of viewers. The document's fields are in docs/admin-api.md.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pihub.domain.event import reason_word
from pihub.insight.outage import Outage
from pihub.insight.recorder import Recorder
from pihub.insight.window import Buckets, Sample, Window
from pihub.shared.events import CacheState, Flag
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import Column, Route, Series, gauge
from pihub.shared.process import resident
from pihub.shared.state import SharedState
from pihub.store.rows import EventStore, RequestRow
from pihub.store.sqlite import StoreFault

log = logging.getLogger("pihub.live")

LOOKED_AT = 1.0
IDLE = 5.0
ATTENTION = 10.0
"""Seconds for which one look counts as looking."""
LAST_REQUESTS = 50
NANO = 1_000_000_000
GAUGES = (Column.IN_FLIGHT, Column.STREAMS_OPEN)


class UpstreamInfo(NamedTuple):
    """What the configuration says of an upstream or API."""

    kind: str
    simulated: bool = False
    outside: bool = False
    """It is not asked while the hub is offline."""


class Live:
    """Builds the picture; `snapshot` and `wait` may be called from any thread."""

    def __init__(
        self,
        state: SharedState,
        health: HealthBoard,
        upstreams: Mapping[str, UpstreamInfo],
        store: EventStore,
        recorder: Recorder,
    ) -> None:
        self._state = state
        self._health = health
        self._upstreams = upstreams
        self._store = store
        self._recorder = recorder
        self._window = Window()
        self._outage = Outage(state)
        self._started = time.time()
        self._changed = threading.Condition()
        self._building = threading.Lock()
        self._wake = threading.Event()
        self._sequence = 0
        self._document = b"{}"
        self._built = float("-inf")
        self._looked = float("-inf")

    def snapshot(self) -> tuple[int, bytes]:
        """(sequence number, JSON), at most a second old."""
        self._looked = time.monotonic()
        if self._looked - self._built > LOOKED_AT:
            self.build()
        with self._changed:
            return self._sequence, self._document

    def wait(self, after: int, timeout: float) -> tuple[int, bytes] | None:
        """The next document newer than `after`; None when `timeout` seconds passed."""
        self._looked = time.monotonic()
        self._wake.set()
        with self._changed:
            if self._changed.wait_for(lambda: self._sequence > after, timeout):
                return self._sequence, self._document
        return None

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; also keeps the control process's heartbeat."""
        while not stop.is_set():
            now = time.monotonic()
            self._state.arena.beat(0, int(now * 1000))
            looking = now - self._looked < ATTENTION
            if now - self._built >= (LOOKED_AT if looking else IDLE) - 0.05:
                try:
                    self.build()
                except Exception:  # a defect here must not end the heartbeat
                    log.exception("the live picture could not be made")
            # The first viewer after a pause is not made to wait out the long interval.
            self._wake.clear()
            if looking:
                stop.wait(LOOKED_AT)
            else:
                self._wake.wait(LOOKED_AT)
        with self._changed:
            self._changed.notify_all()

    def build(self) -> None:
        """Make the next document. A failing store leaves its part empty, never fails."""
        with self._building:
            if time.monotonic() - self._built < LOOKED_AT / 2:
                return
            document = json.dumps(self._picture(), separators=(",", ":")).encode()
            with self._changed:
                self._sequence += 1
                self._document = document
                self._built = time.monotonic()
                self._changed.notify_all()

    def _picture(self) -> dict[str, Any]:
        totals = self._totals()
        latency = self._state.latency
        self._window.add(
            Sample(
                time.monotonic(),
                totals,
                _buckets(latency.buckets(Series.REQUEST)),
                _buckets(latency.buckets(Series.TTFT)),
            )
        )
        return {
            "at": round(time.time(), 3),
            "uptime_s": round(time.time() - self._started, 1),
            "now": self._now(),
            "totals": totals,
            "money": self._money(),
            "outage": self._outage.picture(),
            "upstreams": self._upstream_list(),
            "processes": self._processes(),
            "cache": self._state.cache.stats(),
            "recorder": self._recorder.state()._asdict(),
            "store": self._guarded(self._store.info, {}),
            "requests": [
                request(row) for row in self._guarded(lambda: self._store.recent(LAST_REQUESTS), [])
            ],
        }

    def _totals(self) -> dict[str, int]:
        total = self._state.counters.total
        return {
            one.name.lower(): gauge(total(one)) if one in GAUGES else total(one) for one in Column
        }

    def _now(self) -> dict[str, float | None]:
        window = self._window
        p50, p95, p99 = window.latency((0.5, 0.95, 0.99))
        (first,) = window.ttft((0.5,))
        hits = window.delta("hits") + window.delta("shared") + window.delta("stale")
        looked_up = hits + window.delta("misses")
        return {
            "requests_per_s": round(window.rate("requests"), 2),
            "errors_per_min": round(window.per_minute("errors"), 2),
            "tokens_per_min": round(
                window.per_minute("tokens_in") + window.per_minute("tokens_out"), 1
            ),
            "hit_rate": round(hits / looked_up, 4) if looked_up else None,
            "p50_ms": round(p50 / 1000, 2),
            "p95_ms": round(p95 / 1000, 2),
            "p99_ms": round(p99 / 1000, 2),
            "first_token_p50_ms": round(first / 1000, 2),
        }

    def _money(self) -> dict[str, Any]:
        here = datetime.now(UTC).astimezone()
        midnight = int(here.replace(hour=0, minute=0, second=0).timestamp())
        out: dict[str, Any] = {}
        for name, simulated in (("today", False), ("simulated_today", True)):
            spend = self._guarded(
                lambda simulated=simulated: self._store.spent(midnight, simulated=simulated), None
            )
            out[name] = spend and {
                "cost_usd": spend.cost_nano / NANO,
                "saved_usd": spend.saved_nano / NANO,
                "unpriced_requests": spend.unpriced,
            }
        return out

    def _upstream_list(self) -> list[dict[str, Any]]:
        out = []
        for name, one in self._health.snapshot().items():
            info = self._upstreams.get(name, UpstreamInfo("api"))
            tried = int(one["ok"]) + int(one["failed"])
            out.append(
                {
                    "name": name,
                    "kind": info.kind,
                    "simulated": info.simulated,
                    "outside": info.outside,
                    **one,
                    "success_rate": round(int(one["ok"]) / tried, 4) if tried else None,
                }
            )
        return out

    def _processes(self) -> list[dict[str, Any]]:
        now = int(time.monotonic() * 1000)
        out = []
        for slot in range(self._state.slots):
            pid, _, beat = self._state.arena.slot_info(slot)
            if pid:
                out.append(
                    {
                        "slot": slot,
                        "role": "worker" if slot else "control",
                        "pid": pid,
                        "rss_bytes": resident(pid),
                        "beat_age_ms": max(0, now - beat),
                        "requests": self._state.counters.get(slot, Column.REQUESTS),
                        "in_flight": gauge(self._state.counters.get(slot, Column.IN_FLIGHT)),
                        "streams": gauge(self._state.counters.get(slot, Column.STREAMS_OPEN)),
                    }
                )
        return out

    def _guarded(self, read: Any, empty: Any) -> Any:
        try:
            return read()
        except StoreFault as error:
            log.warning("the live picture lacks what the store cannot tell: %s", error)
            return empty


def request(row: RequestRow) -> dict[str, Any]:
    """A recorded request as the API and the page show it."""
    return {
        "id": row.id,
        "at": row.ts_ns / NANO,
        "request_id": f"{row.rid:016x}",
        "route": _name(Route, row.route),
        "status": row.status,
        "model": row.alias or row.model,
        "served_by": f"{row.upstream}/{row.model}" if row.upstream and row.model else row.upstream,
        "cache": _name(CacheState, row.cache),
        "reason": reason_word(row.reason),
        "error": row.error,
        "attempts": row.attempts,
        "tenant": row.tenant,
        "key": row.key,
        "stream": bool(row.flags & Flag.STREAM),
        "client_gone": bool(row.flags & Flag.CLIENT_GONE),
        "simulated": bool(row.flags & Flag.SIMULATED),
        "estimated": bool(row.flags & Flag.ESTIMATED),
        "duration_ms": row.dur_us / 1000,
        "first_token_ms": row.ttft_us / 1000 if row.ttft_us else None,
        "stalls": row.stalls,
        "tokens": {
            "input": row.in_tok,
            "output": row.out_tok,
            "cache_read": row.cache_read_tok,
            "cache_write": row.cache_write_tok,
        },
        "cost_usd": None if row.cost_nano is None else row.cost_nano / NANO,
        "saved_usd": None if row.saved_nano is None else row.saved_nano / NANO,
    }


def _buckets(found: list[tuple[int, int, int]]) -> Buckets:
    return {(low, high): count for low, high, count in found}


def _name(kind: type[Route | CacheState], number: int) -> str:
    try:
        return kind(number).name.lower()
    except ValueError:
        return str(number)
