"""What left for each upstream in a span of time, by key: read from the recorded requests."""

from __future__ import annotations

from typing import NamedTuple

from pihub.shared.events import CacheState
from pihub.store.sqlite import Database

KEPT = (CacheState.HIT, CacheState.SHARED, CacheState.STALE)
"""Nothing was sent for these."""
LONGEST_NS = 3600 * 10**9
"""Rows lie in the order of their ends; none is older than its neighbours by more."""


class Sent(NamedTuple):
    """Of one upstream and one key."""

    upstream: str
    key: int
    requests: int
    bytes_in: int
    """As clients sent them."""
    bytes_out: int
    """As clients got them."""


def sent(database: Database, start_ns: int, end_ns: int) -> list[Sent]:
    """Requests that began in [start, end), ns since 1970."""
    first = _first(database, start_ns - LONGEST_NS)
    last = _first(database, end_ns + LONGEST_NS)
    kept = ", ".join(str(int(one)) for one in KEPT)
    rows = database.read(
        "SELECT u.name, r.key, count(*), sum(r.bytes_in), sum(r.bytes_out) FROM requests r"  # noqa: S608
        " JOIN names u ON u.id = r.upstream WHERE r.id >= ? AND r.id < ? AND r.ts >= ? AND r.ts < ?"
        f" AND r.cache NOT IN ({kept}) GROUP BY 1, 2 ORDER BY 1, 2",
        (first, last, start_ns, end_ns),
    )
    return [Sent(*row) for row in rows]


def _first(database: Database, at_ns: int) -> int:
    """The first id whose row began at `at_ns` or later, by bisection: there is no index."""
    low, high = database.read(
        "SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM requests"
    )[0]
    while low < high:
        middle = (low + high) // 2
        rows = database.read("SELECT ts FROM requests WHERE id >= ? ORDER BY id LIMIT 1", (middle,))
        if rows and rows[0][0] < at_ns:
            low = middle + 1
        else:
            high = middle
    return int(low)
