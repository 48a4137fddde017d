"""Request records into SQLite: rows, roll-ups and ring cursors in one transaction."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import add, itemgetter
from typing import Any

from pihub.store.latency import add_packed, pack
from pihub.store.layout import FIELDS, at, decode
from pihub.store.rollup import Key, Sums, by_minute, coarser, margins
from pihub.store.rows import NameLookup
from pihub.store.sqlite import Connection

_COST = struct.Struct("<16xq104x")
"""A record's cost, which is its third word (shared.events)."""
_SIGN = 1 << 63
_WRAP = 1 << 64

_NAMES = ("model", "upstream", "alias", "error")
_named = itemgetter(*map(at, _NAMES))
_UNKNOWN_IF_NEGATIVE = ("cost_nano", "saved_nano")


def _bound(field: str) -> str:
    """A record's fields are bound in their order, after them the stored numbers of _NAMES."""
    if field in _NAMES:
        return f"?{len(FIELDS) + _NAMES.index(field) + 1}"
    place = f"?{at(field) + 1}"
    return f"iif({place}<0,NULL,{place})" if field in _UNKNOWN_IF_NEGATIVE else place


# SQL is put together from this file's own constants only, values are always bound.
_COLUMNS = (
    "ts_ns rid tenant key route status cache flags reason attempts worker model upstream alias"
    " error dur_us ttft_us inspect_us lookup_us route_us call_us render_us bytes_in bytes_out"
    " in_tok out_tok cache_read_tok cache_write_tok cost_nano saved_nano queued dialed stalls"
)
"""As the table has them after its id. The statement names none of them, because apsw hashes
its text for every row."""
_INSERT = f"INSERT INTO requests VALUES(NULL,{','.join(map(_bound, _COLUMNS.split()))})"
_KEY = "span, tenant, key, route, model, upstream, status, cache, simulated"
_SUMS = (
    "requests, in_tok, out_tok, cache_read_tok, cache_write_tok, cost_nano, unpriced,"
    " saved_nano, dur_us, ttft_us, ttft_count"
)
_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS.split(", "))


def _roll_up(table: str) -> str:
    return (
        f"INSERT INTO {table} ({_KEY}, {_SUMS})"  # noqa: S608
        f" VALUES ({', '.join('?' * (_KEY.count(',') + _SUMS.count(',') + 2))})"
        f" ON CONFLICT ({_KEY}) DO UPDATE SET {_ADD}"
    )


_MINUTE = _roll_up("usage_minute")
_HOUR = _roll_up("usage_hour")
_BY = (
    f"INSERT INTO usage_by (step, span, dimension, value, {_SUMS}, latency)"  # noqa: S608
    f" VALUES ({', '.join('?' * (_SUMS.count(',') + 6))})"
    f" ON CONFLICT (step, span, dimension, value) DO UPDATE SET {_ADD},"
    " latency = add_latency(latency, excluded.latency)"
)


def signed(word: int) -> int:
    """A 64-bit word as SQLite keeps it; see `unsigned`."""
    return word - _WRAP if word & _SIGN else word


def unsigned(value: int) -> int:
    return value + _WRAP if value < 0 else value


class NameTable:
    """Database numbers of names; the arena's own numbers live no longer than it does.

    RAM: at most 2 x 65 535 entries of some 150 bytes, by the arena's table far fewer.
    """

    def __init__(self, connection: Connection, known: dict[str, int], names: NameLookup) -> None:
        self._connection = connection
        self._known = known
        self._names = names
        self._seen: dict[int, int] = {0: 0}
        self.fresh: dict[str, int] = {}
        """New in this transaction: goes into `known` after its commit only."""

    def number(self, index: int) -> int:
        """0 for no name."""
        found = self._seen.get(index)
        if found is None:
            found = self._seen[index] = self._find(self._names.lookup(index))
        return found

    def _find(self, name: str) -> int:
        if not name:
            return 0
        number = self._known.get(name) or self.fresh.get(name)
        if number is None:
            self._connection.execute(
                "INSERT INTO names (name) VALUES (?) ON CONFLICT DO NOTHING", (name,)
            )
            rows = self._connection.execute("SELECT id FROM names WHERE name = ?", (name,))
            number = self.fresh[name] = int(rows.get)
        return number


def spends(records: Sequence[bytes]) -> bool:
    """Whether any of these records has a cost."""
    return any(cost > 0 for (cost,) in _COST.iter_unpack(b"".join(records)))


def prepare(connection: Connection) -> None:
    """Once a connection, before `insert`."""

    def add_latency(*both: Any) -> bytes:
        return add_packed(*both)

    connection.create_scalar_function("add_latency", add_latency, 2, deterministic=True)


def insert(connection: Connection, records: Sequence[bytes], names: NameTable) -> None:
    """The rows of a batch and what they add to the roll-ups; inside a transaction."""
    rows = decode(records)
    named = list(map(_named, rows))
    numbers = {some: tuple(map(names.number, some)) for some in set(named)}
    connection.executemany(_INSERT, map(add, rows, map(numbers.__getitem__, named)))
    minutes = by_minute(rows, names.number)
    _add(connection, _MINUTE, minutes)
    _add(connection, _HOUR, coarser(minutes, 60))
    part = margins(minutes)
    for step, per in enumerate((1, 60, 24)):
        part = coarser(part, per) if per > 1 else part
        connection.executemany(
            _BY, [(step, *key, *part[key].values, pack(part[key].latency)) for key in sorted(part)]
        )


def _add(connection: Connection, sql: str, sums: dict[Key, Sums]) -> None:
    # In the order of the primary key: neighbours are on the same page.
    connection.executemany(sql, [(*key, *sums[key].values) for key in sorted(sums)])
