"""What left for each upstream in a span of time, by key: read from the recorded requests."""

from __future__ import annotations

from typing import NamedTuple

from pihub.shared.events import ANSWERED_HERE
from pihub.store.reading import id_range
from pihub.store.searching import first_at
from pihub.store.sqlite import Database

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
    least, most = id_range(database)
    first = first_at(database, start_ns - LONGEST_NS, least, most + 1)
    last = first_at(database, end_ns + LONGEST_NS, least, most + 1)
    kept = ", ".join(str(int(one)) for one in ANSWERED_HERE)
    rows = database.read(
        "SELECT u.name, r.key, count(*), sum(r.bytes_in), sum(r.bytes_out) FROM requests r"  # noqa: S608
        " JOIN names u ON u.id = r.upstream WHERE r.id >= ? AND r.id < ? AND r.ts >= ? AND r.ts < ?"
        f" AND r.cache NOT IN ({kept}) GROUP BY 1, 2 ORDER BY 1, 2",
        (first, last, start_ns, end_ns),
    )
    return [Sent(*row) for row in rows]
