"""The metrics database: rows, sums that agree with the rows, retention."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pihub.shared.events import Flag, Record
from pihub.store.latency import unpack
from pihub.store.metrics import MetricsStore
from pihub.store.rollup import DIMENSIONS
from pihub.store.sqlite import StoreFault

BOOT = 2**64 - 3
MINUTE = 60 * 10**9
T0 = 1_795_000_020 * 10**9


class Names:
    """Arena numbers to names."""

    def __init__(self, *names: str) -> None:
        self._names = ("", *names)

    def lookup(self, index: int) -> str:
        return self._names[index] if index < len(self._names) else ""


NAMES = Names("llama3", "claude-haiku-4-5", "ollama", "claude", "assistant", "upstream_timeout")


def commit(
    store: MetricsStore,
    boot: int,
    cursors: dict[int, int],
    lost: int,
    records: list[Record],
    names: Names,
) -> None:
    store.commit(boot, cursors, lost, [record.pack() for record in records], names)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MetricsStore]:
    found = MetricsStore(tmp_path / "pihub.db")
    yield found
    found.close()


records = st.builds(
    Record,
    ts_ns=st.integers(T0, T0 + 3 * 3600 * 10**9),
    rid=st.integers(0, 2**64 - 1),
    cost_nano=st.integers(-1, 10**12),
    saved_nano=st.integers(-1, 10**12),
    dur_us=st.integers(0, 2**32 - 1),
    ttft_us=st.integers(0, 2**32 - 1),
    in_tok=st.integers(0, 2**32 - 1),
    out_tok=st.integers(0, 2**32 - 1),
    key=st.integers(0, 3),
    tenant=st.integers(0, 2),
    route=st.integers(0, 7),
    status=st.sampled_from([200, 206, 304, 400, 429, 499, 500, 504]),
    model=st.integers(0, 2),
    upstream=st.sampled_from([0, 3, 4]),
    alias=st.sampled_from([0, 5]),
    error=st.sampled_from([0, 6]),
    cache=st.integers(0, 5),
    flags=st.sampled_from([0, Flag.SIMULATED, Flag.STREAM | Flag.SIMULATED]),
)


@settings(max_examples=25)
@given(st.lists(st.lists(records, max_size=12), max_size=5))
def test_roll_ups_agree_with_the_rows(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Record]]
) -> None:
    store = MetricsStore(tmp_path_factory.mktemp("db") / "pihub.db")
    for number, batch in enumerate(batches):
        commit(store, BOOT, {1: number}, 0, batch, NAMES)
    everything = [record for batch in batches for record in batch]
    for table in ("usage_minute", "usage_hour"):
        rows = store.database.read(
            "SELECT coalesce(sum(requests), 0), coalesce(sum(in_tok), 0),"
            " coalesce(sum(cost_nano), 0), coalesce(sum(unpriced), 0),"
            f" coalesce(sum(ttft_count), 0), coalesce(sum(dur_us), 0) FROM {table}"
        )
        assert rows == [
            (
                len(everything),
                sum(r.in_tok for r in everything),
                sum(max(r.cost_nano, 0) for r in everything),
                sum(r.cost_nano < 0 for r in everything),
                sum(r.ttft_us > 0 for r in everything),
                sum(r.dur_us for r in everything),
            )
        ]
    for step, by in itertools.product(range(3), range(len(DIMENSIONS))):
        blobs = store.database.read(
            "SELECT latency FROM usage_by WHERE step = ? AND dimension = ?", (step, by)
        )
        counted = [count for (blob,) in blobs for count in unpack(blob).values()]
        assert sum(counted) == len(everything)
    for step in ("minute", "hour", "day"):
        for by in DIMENSIONS:
            usage = store.usage(T0 // 10**9, T0 // 10**9 + 4 * 3600, step, by)  # type: ignore[arg-type]
            assert sum(row.requests for row in usage) == len(everything)
            assert sum(row.in_tok for row in usage) == sum(r.in_tok for r in everything)
    found = {(row.rid, row.ts_ns, row.cost_nano) for row in store.recent(1000)}
    assert found == {(r.rid, r.ts_ns, None if r.cost_nano < 0 else r.cost_nano) for r in everything}
    assert store.total("recorded") == len(everything)
    store.close()


def test_later_batches_of_the_same_minute_are_added(store: MetricsStore) -> None:
    for number in range(3):
        batch = [Record(ts_ns=T0, dur_us=1000, cost_nano=-1)] * 10
        commit(store, BOOT, {1: number}, 0, batch, NAMES)
    commit(store, BOOT, {1: 9}, 0, [Record(ts_ns=T0, dur_us=900_000, cost_nano=4)], NAMES)
    for step in ("minute", "hour"):
        (row,) = store.usage(T0 // 10**9 - 60, T0 // 10**9 + 60, step, "none")  # type: ignore[arg-type]
        assert (row.requests, row.unpriced, row.cost_nano) == (31, 30, 4)
        assert 900 < row.p50_us < 1100
        assert 800_000 < row.p99_us < 1_000_000
    for step in range(3):
        ((blob,),) = store.database.read(
            "SELECT latency FROM usage_by WHERE step = ? AND dimension = 0", (step,)
        )
        assert sorted(unpack(blob).values()) == [1, 30]


def test_names_survive_and_are_resolved(store: MetricsStore, tmp_path: Path) -> None:
    record = Record(ts_ns=T0, model=2, upstream=4, alias=5, error=6, status=504)
    commit(store, BOOT, {1: 1}, 0, [record], NAMES)
    # Another arena numbers the same names differently.
    commit(store, 7, {1: 1}, 0, [Record(ts_ns=T0, model=1, upstream=2)], Names("llama3", "ollama"))
    newest, oldest = store.recent(10)
    assert (oldest.model, oldest.upstream, oldest.alias, oldest.error) == (
        "claude-haiku-4-5", "claude", "assistant", "upstream_timeout",
    )  # fmt: skip
    assert (newest.model, newest.upstream, newest.alias, newest.error) == (
        "llama3",
        "ollama",
        "",
        "",
    )
    usage = store.usage(T0 // 10**9 - 60, T0 // 10**9 + 60, "minute", "model")
    assert {row.group for row in usage} == {"claude-haiku-4-5", "llama3"}


def test_a_failed_commit_keeps_nothing_not_even_names(store: MetricsStore) -> None:
    with store.database.write() as connection:
        connection.execute(
            "CREATE TEMP TRIGGER fail BEFORE INSERT ON usage_hour"
            " BEGIN SELECT raise(ABORT, 'disk on fire'); END"
        )
    with pytest.raises(StoreFault, match="disk on fire"):
        commit(store, BOOT, {1: 9}, 3, [Record(ts_ns=T0, model=2)], NAMES)
    assert store.recent(10) == []
    assert store.cursors(BOOT) == {}
    assert store.total("lost") == 0
    assert store.database.read("SELECT * FROM names") == []
    with store.database.write() as connection:
        connection.execute("DROP TRIGGER temp.fail")
    commit(store, BOOT, {1: 9}, 3, [Record(ts_ns=T0, model=2)], NAMES)
    assert store.recent(10)[0].model == "claude-haiku-4-5"
    assert store.cursors(BOOT) == {1: 9}
    assert store.total("lost") == 3


def test_cursors_belong_to_one_life_of_the_arena(store: MetricsStore) -> None:
    commit(store, BOOT, {1: 2**63 + 5, 2: 3}, 0, [], NAMES)
    assert store.cursors(BOOT) == {1: 2**63 + 5, 2: 3}
    assert store.cursors(BOOT + 1) == {}
    commit(store, BOOT + 1, {1: 1}, 0, [], NAMES)
    assert store.cursors(BOOT) == {}


def test_ids_of_the_newest_requests_are_found(
    store: MetricsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.recorded([1, 2]) == set()
    ids = [2**64 - 1 - i for i in range(600)] + list(range(600))
    commit(store, BOOT, {1: 1}, 0, [Record(ts_ns=T0, rid=rid) for rid in ids], NAMES)
    assert store.recorded([*ids, 10_000]) == set(ids), "more than one statement takes"
    monkeypatch.setattr("pihub.store.metrics.NEWEST", 300)
    assert store.recorded(ids) == set(range(300, 600)), "no further back than is looked"


def test_pages_of_requests_do_not_overlap(store: MetricsStore) -> None:
    commit(store, BOOT, {1: 25}, 0, [Record(ts_ns=T0, rid=i) for i in range(25)], NAMES)
    seen: list[int] = []
    before = None
    while page := store.recent(10, before):
        seen += [row.rid for row in page]
        before = page[-1].id
    assert seen == list(range(24, -1, -1))


def test_simulated_money_is_apart(store: MetricsStore) -> None:
    batch = [
        Record(ts_ns=T0, cost_nano=5, saved_nano=1),
        Record(ts_ns=T0, cost_nano=7, flags=Flag.SIMULATED),
        Record(ts_ns=T0, cost_nano=-1, saved_nano=-1),
        Record(ts_ns=T0 - 2 * MINUTE, cost_nano=100),
    ]
    commit(store, BOOT, {1: 4}, 0, batch, NAMES)
    assert store.spent(T0 // 10**9) == (5, 1, 1)
    assert store.spent(T0 // 10**9, simulated=True) == (7, 0, 0)
    assert store.spent(0).cost_nano == 105


def test_unknown_cost_is_null_never_zero(store: MetricsStore) -> None:
    commit(store, BOOT, {1: 1}, 0, [Record(ts_ns=T0, cost_nano=-1, saved_nano=-1)], NAMES)
    row = store.recent(1)[0]
    assert row.cost_nano is None
    assert row.saved_nano is None


def test_retention_deletes_a_little_at_a_time(store: MetricsStore) -> None:
    now = T0 // 10**9
    day = 86400 * 10**9
    old = [Record(ts_ns=T0 - 40 * day + i * MINUTE, rid=i) for i in range(30)]
    fresh = [Record(ts_ns=T0 - day, rid=1000 + i) for i in range(5)]
    commit(store, BOOT, {1: 35}, 0, old + fresh, NAMES)
    rounds = 0
    while removed := store.prune(now, 30, 10):
        rounds += 1
        assert removed <= 10 + 11 + 11 + 3 * 18
    assert rounds >= 3
    assert sorted(row.rid for row in store.recent(100)) == [1000, 1001, 1002, 1003, 1004]
    left = store.database.read("SELECT sum(requests) FROM usage_minute")
    assert left == [(5,)]
    # Hours are kept ten times as long.
    assert store.database.read("SELECT sum(requests) FROM usage_hour") == [(35,)]
    assert store.prune(now + 400 * 86400, 30, 1000) > 0
    assert store.database.read("SELECT count(*) FROM usage_hour") == [(0,)]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = MetricsStore(tmp_path / "pihub.db")
    commit(first, BOOT, {1: 1}, 0, [Record(ts_ns=time.time_ns(), rid=42)], NAMES)
    first.close()
    again = MetricsStore(tmp_path / "pihub.db")
    assert [row.rid for row in again.recent(5)] == [42]
    again.checkpoint()
    assert again.info()["bytes"] > 0
    again.close()


def test_every_column_holds_its_own_field(store: MetricsStore) -> None:
    numbers = {name: 1000 + i for i, name in enumerate(Record.__slots__)}
    for name in ("kept", "look", "kept_ttl", "why"):
        del numbers[name]  # counted in the arena and studied, not stored
    numbers |= {"cache": 1, "flags": 2, "attempts": 3, "reason": 4}
    numbers |= {"queued": 5, "dialed": 6, "stalls": 7}
    numbers |= {"model": 1, "upstream": 3, "alias": 5, "error": 6}
    commit(store, BOOT, {1: 1}, 0, [Record(**numbers)], NAMES)
    columns = ", ".join(numbers).replace("ts_ns", "ts")
    for name in ("model", "upstream", "alias", "error"):
        columns = columns.replace(f", {name}", f", (SELECT name FROM names WHERE id = {name})")
    (row,) = store.database.read(f"SELECT {columns} FROM requests")
    names = {name: NAMES.lookup(numbers[name]) for name in ("model", "upstream", "alias", "error")}
    assert dict(zip(numbers, row, strict=True)) == numbers | names
