"""Raw records decoded at once, and their sums against plain loops."""

from __future__ import annotations

import struct
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.shared.events import Flag, Record
from pihub.store.layout import at, decode
from pihub.store.requests import signed
from pihub.store.rollup import MOST_NANO, by_minute, coarser, status_class

MINUTE = 60 * 10**9


@given(st.lists(st.binary(min_size=128, max_size=128), max_size=20))
def test_any_bytes_are_read_as_record_reads_them(raw: list[bytes]) -> None:
    expected = []
    for one in raw:
        ts, rid, *rest = astuple(Record.unpack(one))
        rest[LOOK] = signed(rest[LOOK])
        expected.append((signed(ts), signed(rid), *rest))
    assert decode(raw) == expected


LOOK = at("look") - 2


def test_a_record_of_another_length_is_refused() -> None:
    with pytest.raises(struct.error):
        decode([bytes(127), bytes(129)])


records = st.builds(
    Record,
    ts_ns=st.integers(0, 200 * MINUTE),
    cost_nano=st.one_of(st.integers(-3, 3), st.integers(MOST_NANO - 1, 2**63 - 1)),
    saved_nano=st.one_of(st.integers(-3, 3), st.just(2**63 - 1)),
    dur_us=st.integers(0, 2**32 - 1),
    ttft_us=st.integers(0, 2),
    in_tok=st.integers(0, 9),
    out_tok=st.integers(0, 9),
    cache_read_tok=st.integers(0, 9),
    cache_write_tok=st.integers(0, 9),
    key=st.integers(0, 1),
    status=st.sampled_from([200, 206, 499, 404, 999]),
    model=st.integers(0, 2),
    flags=st.sampled_from([0, Flag.STREAM, Flag.SIMULATED]),
)


@given(st.lists(records, max_size=30))
def test_the_sums_are_those_of_a_plain_loop(given_records: list[Record]) -> None:
    expected: dict[tuple[int, ...], list[int]] = {}
    for r in given_records:
        key = (r.ts_ns // MINUTE, r.tenant, r.key, r.route, r.model + 100, 100,
               status_class(r.status), r.cache, int(bool(r.flags & Flag.SIMULATED)))  # fmt: skip
        into = expected.setdefault(key, [0] * 11)
        for i, value in enumerate(
            (1, r.in_tok, r.out_tok, r.cache_read_tok, r.cache_write_tok,
             min(max(r.cost_nano, 0), MOST_NANO), int(r.cost_nano < 0),
             min(max(r.saved_nano, 0), MOST_NANO), r.dur_us, r.ttft_us, int(r.ttft_us > 0))
        ):  # fmt: skip
            into[i] += value
    found = by_minute(decode([r.pack() for r in given_records]), lambda index: index + 100)
    assert {key: list(sums.values) for key, sums in found.items()} == expected
    for key, sums in found.items():
        assert sum(sums.latency.values()) == expected[key][0]
    hours = coarser(found, 60)
    assert {key[0] for key in hours} == {key[0] // 60 for key in expected}
    for place in range(11):
        assert sum(s.values[place] for s in hours.values()) == sum(
            v[place] for v in expected.values()
        )
    assert sum(sum(s.latency.values()) for s in hours.values()) == len(given_records)
