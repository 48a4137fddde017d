"""Exemplars of the latency histograms: the newest records of the workers' rings."""

from __future__ import annotations

from pihub.insight.openmetrics import Exemplar
from pihub.shared.events import Record
from pihub.shared.state import SharedState

NEWEST = 32
"""Records that are looked at in each ring: 4 KiB, some 50 us a ring that holds any."""


def newest(state: SharedState) -> list[Record]:
    """The last records of all rings, in no order. They may have been stored already."""
    found = []
    for ring in range(state.events.rings):
        head = state.events.ring.head(ring)
        if head:
            _, _, raw = state.events.ring.read(ring, max(0, head - NEWEST), NEWEST)
            found += [Record.unpack(item) for item in raw]
    return found


def exemplars(state: SharedState) -> dict[str, list[Exemplar]]:
    """By the name of the histogram."""
    records = newest(state)
    return {
        "pihub_request_duration_seconds": [
            Exemplar(f"{one.rid:016x}", one.dur_us / 1e6, one.ts_ns / 1e9) for one in records
        ],
        "pihub_first_token_seconds": [
            Exemplar(f"{one.rid:016x}", one.ttft_us / 1e6, one.ts_ns / 1e9)
            for one in records
            if one.ttft_us
        ],
    }
