"""The small histogram of stored durations."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pihub.store.latency import bucket, merge, middle, pack, quantiles, unpack


@given(st.integers(1, 2**32 - 1))
def test_a_bucket_holds_what_its_edges_say(microseconds: int) -> None:
    index = bucket(microseconds)
    # 2^(i/4) <= v < 2^((i+1)/4), in whole numbers
    assert 2**index <= microseconds**4
    assert microseconds**4 < 2 ** (index + 1) or index == 127
    assert abs(Fraction(middle(index)) / microseconds - 1) < Fraction(10, 100)


def test_zero_and_the_largest_have_a_bucket() -> None:
    assert bucket(0) == 0
    assert bucket(2**40) == 127


counts = st.dictionaries(st.integers(0, 127), st.integers(1, 2**31), max_size=20)


@given(counts, counts)
def test_bytes_and_back_and_merging_adds(one: dict[int, int], two: dict[int, int]) -> None:
    assert unpack(pack(one)) == one
    both = dict(one)
    merge(both, two)
    assert sum(both.values()) == sum(one.values()) + sum(two.values())


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=200))
def test_quantiles_are_near_the_sorted_values(values: list[int]) -> None:
    buckets: dict[int, int] = {}
    for value in values:
        merge(buckets, {bucket(value): 1})
    for q, found in zip((0.5, 0.95), quantiles(pack(buckets), (0.5, 0.95)), strict=True):
        exact = sorted(values)[max(0, -(-int(q * 100) * len(values) // 100) - 1)]
        assert 0.9 < found / exact < 1.1


def test_nothing_counted_is_zero() -> None:
    assert quantiles(b"", (0.5,)) == (0.0,)
