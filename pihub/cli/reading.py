"""One reading of a running hub: what `pihub top` shows."""

from __future__ import annotations

import os
import time
from typing import Any

from pihub.cli.attach import RunningHub
from pihub.insight.window import Sample, Window
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import Column, Series

HUNG_MS = 10_000
"""A heartbeat older than this is shown as late."""
_NAMES = {column: column.name.lower() for column in Column}


class Readings:
    """Totals, and rates and percentiles over the last `seconds`; the arena is read,
    never written. RAM: 13 samples of some ten KiB each."""

    def __init__(self, hub: RunningHub, seconds: float = 10.0) -> None:
        self._hub = hub
        self._window = Window(seconds)

    def take(self) -> dict[str, Any]:
        """One object for `--json`: percentiles in milliseconds (`latency_ms` since the
        start, `latency_recent_ms` over the window, None without requests in it), money
        in USD, rates a second, everything else counts."""
        state = self._hub.state
        totals = {name: _signed(state.counters.total(c)) for c, name in _NAMES.items()}
        latency = state.latency
        self._window.add(
            Sample(
                time.monotonic(),
                totals,
                {(low, high): n for low, high, n in latency.buckets(Series.REQUEST)},
                {(low, high): n for low, high, n in latency.buckets(Series.TTFT)},
            )
        )
        since = tuple(latency.quantiles(Series.REQUEST, (0.5, 0.95, 0.99)))
        recent = self._window.latency((0.5, 0.95, 0.99))
        served = totals["hits"] + totals["shared"] + totals["stale"]
        looked = served + totals["misses"]
        return {
            "pid": self._hub.pid,
            "listen": self._hub.listen,
            "requests": totals["requests"],
            "requests_per_s": round(self._window.rate("requests"), 1),
            "errors": totals["errors"],
            "refused": totals["refused"],
            "hit_rate": round(served / looked, 4) if looked else None,
            "fallbacks": totals["fallbacks"],
            "in_flight": totals["in_flight"],
            "streams_open": totals["streams_open"],
            "latency_ms": _milliseconds(since),
            "latency_recent_ms": _milliseconds(recent) if any(recent) else None,
            "tokens": {"in": totals["tokens_in"], "out": totals["tokens_out"]},
            "cost_usd": totals["cost_nano"] / 1e9,
            "saved_usd": totals["saved_nano"] / 1e9,
            "cache": state.cache.stats(),
            "breakers": HealthBoard(state, self._hub.rows).snapshot(),
            "processes": self._processes(),
        }

    def _processes(self) -> list[dict[str, Any]]:
        state = self._hub.state
        now = int(time.monotonic() * 1000)
        found = []
        for slot in range(state.slots):
            pid, _, beat = state.arena.slot_info(slot)
            if not pid:
                continue
            age = max(0, now - beat)
            found.append(
                {
                    "slot": slot,
                    "role": "worker" if slot else "control",
                    "pid": pid,
                    "alive": os.path.exists(f"/proc/{pid}"),
                    "late": age > HUNG_MS,
                    "heartbeat_age_ms": age,
                    "requests": state.counters.get(slot, Column.REQUESTS),
                    "in_flight": _signed(state.counters.get(slot, Column.IN_FLIGHT)),
                    "streams_open": _signed(state.counters.get(slot, Column.STREAMS_OPEN)),
                }
            )
        return found


def _signed(value: int) -> int:
    """Gauges are sums of u64 that may be caught in mid-step: below zero is zero."""
    return 0 if value >= 1 << 63 else value


def _milliseconds(micros: tuple[float, ...]) -> dict[str, float]:
    return {
        name: round(value / 1000, 2)
        for name, value in zip(("p50", "p95", "p99"), micros, strict=True)
    }
