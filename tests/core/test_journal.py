"""The journal against its twin; its numbers against the Python enums; its refusals."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pihub
from pihub._core.arena import Arena
from pihub._core.counters import Counters
from pihub._core.histogram import Histogram
from pihub._core.journal import Journal
from pihub._core.ring import Ring
from pihub.domain.event import Reason
from pihub.domain.whynot import WhyNot
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.metrics import (
    ROUTE_CACHE,
    ROUTE_COLUMNS,
    ROUTE_WHY,
    STATUS_CLASSES,
    Column,
    Route,
    Series,
)
from tests.model import journal as model

SLOT = 1
ROUTES = 4
HEADER = Path(pihub.__file__).parent / "_core" / "include" / "ph_journal.h"
FIELDS = (
    "rid", "cost_nano", "saved_nano", "ttft_us", "in_tok", "out_tok", "cache_read_tok",
    "cache_write_tok", "bytes_in", "bytes_out", "key", "status", "tenant", "route", "model",
    "upstream", "alias", "cache", "flags", "attempts", "reason", "error", "kept", "look",
    "kept_ttl", "why", "queued", "dialed", "stalls",
)  # fmt: skip
WIDTH = {
    "rid": 64, "cost_nano": 63, "saved_nano": 63, "status": 16, "tenant": 16, "route": 16,
    "model": 16, "upstream": 16, "alias": 16, "error": 16, "cache": 8, "flags": 8, "attempts": 8,
    "reason": 8, "look": 64, "why": 8, "queued": 8, "dialed": 8, "stalls": 8,
}  # fmt: skip


class Parts:
    """The four regions, 3 rows each, and the journal of slot 1."""

    def __init__(self, **changed: Any) -> None:
        self.arena = Arena.create(
            [
                ("counters", Counters.size_for(3, len(Column))),
                ("routes", Counters.size_for(3, ROUTES * ROUTE_COLUMNS)),
                ("latency", Histogram.size_for(3, len(Series))),
                ("ring", Ring.size_for(3, 64)),
            ],
            2,
        )
        self.open(self.arena)
        self.journal = self.make()

    def open(self, arena: Arena) -> None:
        self.counters = Counters(arena, "counters", 3, len(Column))
        self.routes = Counters(arena, "routes", 3, ROUTES * ROUTE_COLUMNS)
        self.latency = Histogram(arena, "latency", 3, len(Series))
        self.ring = Ring(arena, "ring", 3, 64)

    def make(self, slot: int = SLOT) -> Journal:
        return Journal(self.counters, self.routes, self.latency, self.ring, slot)

    def write(self, t0: int = 0, marks: list[int] | None = None, **fields: int) -> Record:
        numbers = [fields.pop(name, 0) for name in FIELDS]
        assert not fields
        self.journal.write(t0 or time.monotonic_ns(), marks or [], *numbers)
        return self.records()[-1]

    def records(self) -> list[Record]:
        _, lost, raw = self.ring.read(SLOT, 0, 64)
        assert lost == 0
        return [Record.unpack(item) for item in raw]


SMALL = {
    "status": st.sampled_from([100, 200, 204, 302, 404, 429, 498, 499, 500, 503, 599, 999, 0]),
    "route": st.integers(0, ROUTES + 1),
    "cache": st.integers(0, 6),
    "reason": st.sampled_from([0, 1, 10, 17, 18, 19]),
    "why": st.integers(0, 40),
    **{name: st.integers(0, 255) for name in ("queued", "dialed", "stalls")},
    "flags": st.integers(0, 31),
    "attempts": st.integers(0, 3),
    "cost_nano": st.integers(-1, 10**12),
    "saved_nano": st.integers(-1, 10**12),
    "ttft_us": st.sampled_from([0, 1, 5_000_000]),
}
EVENTS = st.fixed_dictionaries(
    {name: SMALL.get(name, st.integers(0, 2**16 - 1)) for name in FIELDS}
)
MARKS = st.lists(st.integers(0, 10**10), max_size=7)


@given(st.lists(st.tuples(EVENTS, MARKS), min_size=1, max_size=8))
def test_counts_as_its_twin(requests: list[tuple[dict[str, int], list[int]]]) -> None:
    parts, twin = Parts(), model.Journal(ROUTES)
    for fields, marks in requests:
        record = parts.write(marks=marks, **fields)
        assert {name: getattr(record, name) for name in FIELDS} == fields
        stored = (model.stages(marks) + [0] * 5)[:5]
        assert [getattr(record, name) for name in model.STORED] == stored
        assert record.worker == SLOT
        twin.write(record, marks)
    for column in Column:
        assert parts.counters.get(SLOT, column) == twin.counters[column], column.name
        assert parts.counters.total(column) == twin.counters[column], "its own row only"
    for column in range(ROUTES * ROUTE_COLUMNS):
        assert parts.routes.get(SLOT, column) == twin.by_route[column], column
        assert parts.routes.total(column) == twin.by_route[column], "its own row only"
    for series in Series:
        assert parts.latency.count(series) == twin.counts[series], series.name
        assert parts.latency.sum(series) == twin.sums[series], series.name
    assert [parts.ring.head(ring) for ring in range(3)] == [0, len(requests), 0]


def test_an_api_s_first_byte_is_no_first_token() -> None:
    parts = Parts()
    assert parts.write(route=Route.API, ttft_us=5).ttft_us == 5
    assert parts.latency.count(Series.TTFT) == 0
    parts.write(route=Route.OTHER, ttft_us=5)
    assert parts.latency.count(Series.TTFT) == 1


def test_times_are_taken_from_the_clocks() -> None:
    parts = Parts()
    for ago in (0, 3_000_000, 2_500_000_000, 4_000_000):
        before = time.time_ns()
        record = parts.write(t0=time.monotonic_ns() - ago)
        after = time.time_ns()
        slack = 10**6  # the clocks are read one after the other
        assert before - ago - slack <= record.ts_ns <= after - ago + slack
        assert ago // 1000 <= record.dur_us <= (ago + after - before + slack) // 1000
    assert parts.write(t0=time.monotonic_ns() + 10**12).dur_us == 0
    since_boot = parts.write(t0=1).dur_us
    assert min(time.monotonic_ns() // 1000, 2**32) - 10**6 < since_boot < 2**32


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_clamped_to_its_width(name: str) -> None:
    parts = Parts()
    most = 2 ** WIDTH.get(name, 32) - 1
    assert getattr(parts.write(**{name: most}), name) == most
    if name in ("rid", "look"):
        with pytest.raises(OverflowError):
            parts.write(**{name: most + 1})
        return
    for beyond in (most + 1, 2**63, 10**40):
        assert getattr(parts.write(**{name: beyond}), name) == most
    signed = name.endswith("_nano")
    assert getattr(parts.write(**{name: -7}), name) == (-7 if signed else 0)
    assert getattr(parts.write(**{name: -(10**40)}), name) == (-(2**63) if signed else 0)


@pytest.mark.parametrize("index", range(2 + len(FIELDS)))
def test_what_is_no_number_is_refused_before_anything_is_counted(index: int) -> None:
    parts = Parts()
    arguments: list[Any] = [time.monotonic_ns(), [1, 2], *[1] * len(FIELDS)]
    for wrong in (None, "1", 1.5, [None, 1]):
        if index == 1 and isinstance(wrong, list):
            wrong = [1, "x"]
        with pytest.raises(TypeError):
            parts.journal.write(*arguments[:index], wrong, *arguments[index + 1 :])
    with pytest.raises(TypeError):
        parts.journal.write(*arguments[:index])
    assert parts.ring.head(SLOT) == 0
    assert [parts.counters.total(c) for c in Column] == [0] * len(Column)
    assert [parts.latency.count(s) for s in Series] == [0] * len(Series)


def test_more_marks_than_stages_are_refused() -> None:
    parts = Parts()
    with pytest.raises(ValueError, match="8 marks, at most 7"):
        parts.write(marks=[1] * 8)
    assert parts.ring.head(SLOT) == 0


def test_construction_refuses() -> None:
    parts = Parts()
    with pytest.raises(IndexError, match="slot 3"):
        parts.make(3)
    other = Arena.create([("odd", Counters.size_for(3, 41))], 2)
    odd = Counters(other, "odd", 3, 41)
    with pytest.raises(ValueError, match="a route has 40"):
        Journal(parts.counters, odd, parts.latency, parts.ring, SLOT)
    arena = Arena.create([("counters", 9999), ("few", 9999), ("latency", 10**6)], 1)
    few = Counters(arena, "few", 3, 19)
    with pytest.raises(ValueError, match="47 counters"):
        Journal(few, parts.routes, parts.latency, parts.ring, SLOT)
    short = Histogram(arena, "latency", 3, 8)
    with pytest.raises(ValueError, match="9 series"):
        Journal(parts.counters, parts.routes, short, parts.ring, SLOT)
    parts.open(Arena.attach(parts.arena.fd, True))
    with pytest.raises(PermissionError):
        parts.make()


def test_the_mapping_lives_as_long_as_the_journal() -> None:
    parts = Parts()
    journal, fd = parts.journal, parts.arena.fd
    reader = Ring(Arena.attach(fd, True), "ring", 3, 64)
    del parts
    journal.write(time.monotonic_ns(), [], *[1] * len(FIELDS))
    assert reader.head(SLOT) == 1


def enums() -> dict[str, int]:
    """Name -> number of the constants in the C header."""
    found = re.findall(r"^\s*PH_([A-Z_0-9]+) = (\d+)", HEADER.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


@pytest.mark.native
def test_the_numbers_of_c_are_those_of_python() -> None:
    known: dict[str, int] = {
        "JOURNAL_STAGES": len(model.TIMED),
        "JOURNAL_SERIES": max(model.TIMED) + 1,
        "STATUS_CLASSES": STATUS_CLASSES,
        "ROUTE_CACHE": ROUTE_CACHE,
        "ROUTE_WHY": ROUTE_WHY,
        "ROUTE_COLUMNS": ROUTE_COLUMNS,
    }
    for prefix, numbers in (
        ("COLUMN", Column), ("SERIES", Series), ("ROUTE", Route), ("CACHE", CacheState),
        ("FLAG", Flag), ("REASON", Reason), ("WHY", WhyNot),
    ):  # fmt: skip
        known |= {f"{prefix}_{one.name}": int(one) for one in numbers}
    found = enums()
    assert len(found) > 25
    columns = found.pop("JOURNAL_COLUMNS")
    assert columns == 1 + max(n for name, n in found.items() if name.startswith("COLUMN"))
    assert {name: known.get(name) for name in found} == found
    assert [int(series) for series in model.TIMED] == list(range(3, 9)), "they follow each other"
