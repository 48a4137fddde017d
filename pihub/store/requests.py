"""Request records into SQLite: rows, roll-ups and ring cursors in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pihub.shared.events import Flag, Record
from pihub.store.latency import Buckets, bucket, merge, pack, unpack
from pihub.store.rows import NameLookup
from pihub.store.sqlite import Connection

MOST_NANO = 10**15
"""A million USD: a request that claims to cost more is damaged, and its sums must not
overflow the 63 bits of the column, or no later batch could be stored."""
_SIGN = 1 << 63
_WRAP = 1 << 64

# SQL is put together from this file's own constants only, values are always bound.
_COLUMNS = (
    "ts, rid, tenant, key, route, status, cache, flags, reason, attempts, worker, model,"
    " upstream, alias, error, dur_us, ttft_us, inspect_us, lookup_us, route_us, call_us,"
    " render_us, bytes_in, bytes_out, in_tok, out_tok, cache_read_tok, cache_write_tok,"
    " cost_nano, saved_nano"
)
_INSERT = f"INSERT INTO requests ({_COLUMNS}) VALUES ({', '.join('?' * 30)})"  # noqa: S608
_KEY = "span, tenant, key, route, model, upstream, status, cache, simulated"
_SUMS = (
    "requests, in_tok, out_tok, cache_read_tok, cache_write_tok, cost_nano, unpriced,"
    " saved_nano, dur_us, ttft_us, ttft_count"
)
_WHERE = " AND ".join(f"{name} = ?" for name in _KEY.split(", "))
_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS.split(", "))
_TABLES = (("usage_minute", 60), ("usage_hour", 3600))

Key = tuple[int, ...]


def signed(word: int) -> int:
    """A 64-bit word as SQLite keeps it; see `unsigned`."""
    return word - _WRAP if word & _SIGN else word


def unsigned(value: int) -> int:
    return value + _WRAP if value < 0 else value


def status_class(status: int) -> int:
    """1 to 5, and 0 for 499 (the client left), as on /metrics."""
    return 0 if status == 499 else min(status // 100, 5)


@dataclass(slots=True)
class Sums:
    """What one roll-up row gains from a batch."""

    requests: int = 0
    in_tok: int = 0
    out_tok: int = 0
    cache_read_tok: int = 0
    cache_write_tok: int = 0
    cost_nano: int = 0
    unpriced: int = 0
    saved_nano: int = 0
    dur_us: int = 0
    ttft_us: int = 0
    ttft_count: int = 0
    latency: Buckets = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.requests += 1
        self.in_tok += record.in_tok
        self.out_tok += record.out_tok
        self.cache_read_tok += record.cache_read_tok
        self.cache_write_tok += record.cache_write_tok
        if record.cost_nano >= 0:
            self.cost_nano += min(record.cost_nano, MOST_NANO)
        else:
            self.unpriced += 1
        self.saved_nano += min(max(record.saved_nano, 0), MOST_NANO)
        self.dur_us += record.dur_us
        if record.ttft_us:
            self.ttft_us += record.ttft_us
            self.ttft_count += 1
        index = bucket(record.dur_us)
        self.latency[index] = self.latency.get(index, 0) + 1

    def values(self) -> tuple[int, ...]:
        return (
            self.requests,
            self.in_tok,
            self.out_tok,
            self.cache_read_tok,
            self.cache_write_tok,
            self.cost_nano,
            self.unpriced,
            self.saved_nano,
            self.dur_us,
            self.ttft_us,
            self.ttft_count,
        )


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


def insert(connection: Connection, records: Sequence[Record], names: NameTable) -> None:
    """The rows of a batch and what they add to the roll-ups; inside a transaction."""
    minutes: dict[Key, Sums] = {}
    connection.executemany(_INSERT, _rows(records, names, minutes))
    for table, seconds in _TABLES:
        _roll_up(connection, table, _coarser(minutes, seconds // 60))


def _rows(
    records: Iterable[Record], names: NameTable, minutes: dict[Key, Sums]
) -> Iterable[tuple[int | None, ...]]:
    for record in records:
        ts = signed(record.ts_ns)
        model = names.number(record.model)
        upstream = names.number(record.upstream)
        key = (
            ts // 60_000_000_000,
            record.tenant,
            record.key,
            record.route,
            model,
            upstream,
            status_class(record.status),
            record.cache,
            int(bool(record.flags & Flag.SIMULATED)),
        )
        sums = minutes.get(key)
        if sums is None:
            sums = minutes[key] = Sums()
        sums.add(record)
        yield (
            ts,
            signed(record.rid),
            record.tenant,
            record.key,
            record.route,
            record.status,
            record.cache,
            record.flags,
            record.reason,
            record.attempts,
            record.worker,
            model,
            upstream,
            names.number(record.alias),
            names.number(record.error),
            record.dur_us,
            record.ttft_us,
            record.inspect_us,
            record.lookup_us,
            record.route_us,
            record.call_us,
            record.render_us,
            record.bytes_in,
            record.bytes_out,
            record.in_tok,
            record.out_tok,
            record.cache_read_tok,
            record.cache_write_tok,
            record.cost_nano if record.cost_nano >= 0 else None,
            record.saved_nano if record.saved_nano >= 0 else None,
        )


def _coarser(minutes: dict[Key, Sums], per: int) -> dict[Key, Sums]:
    """Sums of `per` minutes each; the given ones if that is one."""
    if per == 1:
        return minutes
    out: dict[Key, Sums] = {}
    for key, sums in minutes.items():
        into = out.setdefault((key[0] // per, *key[1:]), Sums())
        for name in Sums.__slots__:
            if name != "latency":
                setattr(into, name, getattr(into, name) + getattr(sums, name))
        merge(into.latency, sums.latency)
    return out


def _roll_up(connection: Connection, table: str, sums: dict[Key, Sums]) -> None:
    for key, part in sums.items():
        row = connection.execute(
            f"SELECT latency FROM {table} WHERE {_WHERE}",  # noqa: S608
            key,
        ).fetchone()
        # Into a histogram of its own: the part's is also what the next table adds.
        latency = unpack(row[0]) if row is not None else {}
        merge(latency, part.latency)
        connection.execute(
            f"INSERT INTO {table} ({_KEY}, {_SUMS}, latency)"  # noqa: S608
            f" VALUES ({', '.join('?' * (len(key) + 12))})"
            f" ON CONFLICT ({_KEY}) DO UPDATE SET {_ADD}, latency = excluded.latency",
            (*key, *part.values(), pack(latency)),
        )
