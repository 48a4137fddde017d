"""The live picture of one tenant: made of its own rows alone, when it is asked for.

What the whole hub's picture (insight/live.py) tells of processes, the cache, the store and
upstreams is other tenants' as well, and is left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pihub.insight.live import LAST_REQUESTS, NANO, request
from pihub.shared.events import ANSWERED_HERE, CacheState
from pihub.shared.streams import LiveStreams
from pihub.store.rows import Reports, UsageRow

RECENT = 5
"""Minutes that "now" is the mean of."""
DAY = 86400
ERRORS = ("4", "5")
"""Classes of status."""
_KEPT = {str(int(one)) for one in ANSWERED_HERE}
_ASKED = _KEPT | {str(int(CacheState.MISS))}


class TenantPicture:
    """What pages and /status ask of `insight.live.Live`, for one tenant. Each call reads
    some 300 rows of sums."""

    def __init__(self, store: Reports, streams: LiveStreams) -> None:
        self._store = store
        self._streams = streams

    def snapshot(self) -> tuple[int, bytes]:
        """(0, JSON)"""
        return 0, json.dumps(self.picture(), separators=(",", ":")).encode()

    def picture(self) -> dict[str, Any]:
        here = datetime.now(UTC).astimezone()
        midnight = int(here.replace(hour=0, minute=0, second=0).timestamp())
        now = int(time.time())
        return {
            "at": round(time.time(), 3),
            "now": self._now(now),
            "totals": self._totals(self._store.usage(now - DAY, now + 1, "hour", "none")),
            "money": {
                "today": self._money(midnight, simulated=False),
                "simulated_today": self._money(midnight, simulated=True),
            },
            "requests": [request(row) for row in self._store.recent(LAST_REQUESTS)],
        }

    def _totals(self, hours: Iterable[UsageRow]) -> dict[str, int]:
        """Of the last 24 hours."""
        rows = list(hours)
        return {
            "requests": sum(row.requests for row in rows),
            "tokens_in": sum(row.in_tok for row in rows),
            "tokens_out": sum(row.out_tok for row in rows),
            "streams_open": len(self._streams.rows()),
        }

    def _now(self, now: int) -> dict[str, float | None]:
        start = now - RECENT * 60
        whole = self._store.usage(start, now + 1, "minute", "none")
        by_status = self._store.usage(start, now + 1, "minute", "status")
        by_cache = self._store.usage(start, now + 1, "minute", "cache")
        asked = _count(by_cache, _ASKED)
        span = RECENT * 60
        return {
            "requests_per_s": round(sum(row.requests for row in whole) / span, 2),
            "errors_per_min": round(_count(by_status, ERRORS) / RECENT, 2),
            "tokens_per_min": round(sum(row.in_tok + row.out_tok for row in whole) / RECENT, 1),
            "hit_rate": round(_count(by_cache, _KEPT) / asked, 4) if asked else None,
            "p50_ms": _worst(row.p50_us for row in whole),
            "p95_ms": _worst(row.p95_us for row in whole),
            "p99_ms": _worst(row.p99_us for row in whole),
        }

    def _money(self, since: int, *, simulated: bool) -> dict[str, Any]:
        spend = self._store.spent(since, simulated=simulated)
        return {
            "cost_usd": spend.cost_nano / NANO,
            "saved_usd": spend.saved_nano / NANO,
            "unpriced_requests": spend.unpriced,
        }


def _count(rows: Iterable[UsageRow], groups: Iterable[str]) -> int:
    wanted = set(groups)
    return sum(row.requests for row in rows if row.group in wanted)


def _worst(values: Iterable[float]) -> float | None:
    """The slowest minute's, in ms."""
    return round(max(values, default=0.0) / 1000, 2) or None
