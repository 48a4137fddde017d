"""Recorded requests by what they were: a bounded part of the table is looked at each time.

The table has no index beside its order, so that a record costs no more pages on the SD card.
A search looks at SCAN rows, in SQLite alone (some milliseconds), and tells how far it came.
"""

from __future__ import annotations

import json
from typing import Any

from pihub.store.reading import MAX_ID, SELECT, id_range, of_tenant_condition, request_row
from pihub.store.rows import Hits, Wanted
from pihub.store.sqlite import Database

SCAN = 20_000
"""Rows that one search looks at."""
LONGEST = 900
"""Seconds by which a record may lie after its start: a request is recorded at its end."""
SECOND = 1_000_000_000
_LISTED = "(SELECT value FROM json_each(?))"


def search(
    database: Database,
    wanted: Wanted,
    limit: int,
    *,
    edge: int | None = None,
    upward: bool = False,
    tenant: int | None = None,
) -> Hits:
    """At most `limit` rows strictly beyond the id `edge`: below it the newest first, or with
    `upward` above it the oldest first."""
    conditions, values = _conditions(database, wanted, tenant)
    if conditions is None:
        return Hits([], None)
    least, most = _bounds(database, wanted)
    if upward:
        low = max(least, (edge or 0) + 1)
        high = min(most, low + SCAN - 1)
    else:
        high = min(most, (MAX_ID if edge is None else edge) - 1)
        low = max(least, high - SCAN + 1)
    if low > high:
        return Hits([], None)
    order = "" if upward else " DESC"
    rows = database.read(
        f"{SELECT} WHERE r.id BETWEEN ? AND ?{conditions} ORDER BY r.id{order} LIMIT ?",
        (low, high, *values, limit),
    )
    found = [request_row(row) for row in rows]
    end = found[-1].id if len(found) == limit else high if upward else low
    over = end >= most if upward else end <= least
    return Hits(found, None if over else end)


def _conditions(
    database: Database, wanted: Wanted, tenant: int | None
) -> tuple[str | None, list[Any]]:
    """SQL of this file's constants and bound values; None: nothing can match."""
    text, values = of_tenant_condition(tenant), list[Any]()
    for name, columns in (
        (wanted.model, ("alias", "model")),
        (wanted.upstream, ("upstream",)),
        (wanted.error, ("error",)),
    ):
        if not name:
            continue
        known = database.read("SELECT id FROM names WHERE name = ?", (name,))
        if not known:
            return None, []
        text += " AND (" + " OR ".join(f"r.{column} = ?" for column in columns) + ")"
        values += [known[0][0]] * len(columns)
    for column, value in (("key", wanted.key), ("route", wanted.route), ("cache", wanted.cache)):
        if value is not None:
            text += f" AND r.{column} = ?"
            values.append(value)
    if wanted.part:
        condition, more = _with_part(database, wanted.part)
        text += condition
        values += more
    if wanted.caches:
        text += f" AND r.cache IN {_LISTED}"
        values.append(json.dumps(wanted.caches))
    if wanted.flags:
        text += " AND r.flags & ? = ?"
        values += [wanted.flags, wanted.flags]
    if wanted.reasons != (0, 255):
        text += " AND r.reason BETWEEN ? AND ?"
        values += wanted.reasons
    text += " AND r.cost_nano > 0" if wanted.paid else ""
    text += " AND r.saved_nano > 0" if wanted.saved else ""
    if wanted.slower_us:
        text += " AND r.dur_us >= ?"
        values.append(wanted.slower_us)
    if (wanted.status_from, wanted.status_to) != (0, 999):
        text += " AND r.status BETWEEN ? AND ?"
        values += [wanted.status_from, wanted.status_to]
    if wanted.since is not None:
        text += " AND r.ts >= ?"
        values.append(wanted.since * SECOND)
    if wanted.until is not None:
        text += " AND r.ts < ?"
        values.append(wanted.until * SECOND)
    return text, values


def _with_part(database: Database, part: str) -> tuple[str, list[Any]]:
    """The names that hold it are looked for among all, which are few; a part with a slash may
    also reach from an upstream's name into its model's."""
    part = part.lower()
    names = [(number, name.lower()) for number, name in database.read("SELECT id, name FROM names")]
    among = json.dumps([number for number, name in names if part in name])
    text = f" r.alias IN {_LISTED} OR r.model IN {_LISTED} OR r.upstream IN {_LISTED}"
    values = [among] * 3
    for at in (at for at, letter in enumerate(part) if letter == "/"):
        text += f" OR r.upstream IN {_LISTED} AND r.model IN {_LISTED}"
        values.append(json.dumps([n for n, name in names if name.endswith(part[:at])]))
        values.append(json.dumps([n for n, name in names if name.startswith(part[at + 1 :])]))
    return f" AND ({text})", values


def _bounds(database: Database, wanted: Wanted) -> tuple[int, int]:
    """The ids between which all that is wanted lies."""
    least, most = id_range(database)
    low, high = least, most
    if wanted.since is not None:
        low = first_at(database, (wanted.since - LONGEST) * SECOND, least, most)
    if wanted.until is not None:
        high = first_at(database, (wanted.until + LONGEST) * SECOND, least, most)
    return low, min(high, most)


def first_at(database: Database, at_ns: int, low: int, high: int) -> int:
    """The id from `low` to `high` about which that moment lies (ns since 1970), by halving:
    rows lie nearly in order of time."""
    while low < high:
        middle = (low + high) // 2
        row = database.read("SELECT ts FROM requests WHERE id >= ? ORDER BY id LIMIT 1", (middle,))
        if row and row[0][0] < at_ns:
            low = middle + 1
        else:
            high = middle
    return low
