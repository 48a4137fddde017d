"""Reuse distances against their twin, against a real LRU, and their bounds."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.reuse import Reuse
from tests.model import reuse as model

LOOKS = st.lists(
    st.tuples(
        st.integers(0, 9),  # key
        st.integers(0, 1),  # tenant
        st.integers(0, 3),  # seconds that pass before
        st.sampled_from([0, 1, 700, 5_000, 2**20, 2**32 - 1]),
        st.sampled_from([0, 0, 1, 2, 100]),
        st.none() | st.tuples(st.integers(0, 10**12), st.integers(0, 2**32 - 1)),
    ),
    max_size=80,
)
SOME_EDGES = model.EDGES[::7]


@pytest.mark.parametrize("most", [1, 3, 40])
@given(looks=LOOKS, fade_at=st.integers(0, 80), part=st.sampled_from([0.0, 0.5, 1.0]))
def test_counts_as_its_twin(
    most: int, looks: list[tuple[int, int, int, int, int, tuple[int, int] | None]],
    fade_at: int, part: float,
) -> None:  # fmt: skip
    real, twin = Reuse(most), model.Reuse(most)
    now = 0
    for number, (key, tenant, passed, *rest) in enumerate(looks):
        now += passed
        if number == fade_at:
            real.fade(part)
            twin.fade(part)
        assert real.see(key, tenant, now, *rest) == twin.see(key, tenant, now, *rest)
    assert len(real) == len(twin.known)
    assert real.rate == twin.rate
    assert real.looks == pytest.approx(twin.looks)
    for edge in SOME_EDGES:
        assert real.within(edge) == pytest.approx(twin.within(edge), rel=1e-9, abs=1e-6)


def lru_hits(keys: list[int], sizes: dict[int, int], room: int) -> int:
    kept: OrderedDict[int, int] = OrderedDict()
    hits = held = 0
    for key in keys:
        if key in kept:
            hits += 1
            held -= kept.pop(key)
        kept[key] = sizes[key]
        held += sizes[key]
        while held > room:
            held -= kept.popitem(last=False)[1]
    return hits


def zipf(keys: int, looks: int) -> list[int]:
    rng = random.Random(7)
    weights = [1 / (rank + 1) ** 0.9 for rank in range(keys)]
    return rng.choices(range(keys), weights, k=looks)


def test_all_keys_followed_gives_what_an_lru_of_each_size_has() -> None:
    keys = zipf(400, 20_000)
    sizes = {key: 500 + key * 37 % 4000 for key in range(400)}
    reuse = Reuse(400)
    for key in keys:
        reuse.see(key, 1, 0, sizes[key], 0, (1000, 2))
    for room in (64 << 10, 256 << 10, 640 << 10):
        count, nano, us = reuse.within(room)
        assert count / 20_000 == pytest.approx(lru_hits(keys, sizes, room) / 20_000, abs=0.01)
        assert (nano, us) == pytest.approx((count * 1000, count * 2))


def test_a_sample_of_the_keys_comes_close() -> None:
    keys = zipf(20_000, 120_000)
    sizes = dict.fromkeys(range(20_000), 1024)
    reuse = Reuse(1024)
    for key in keys:
        reuse.see(key, 1, 0, 1024, 0)
    assert reuse.rate < 0.2, "more keys were asked for than are followed"
    assert len(reuse) == 1024
    for room in (2 << 20, 4 << 20, 8 << 20):
        share = reuse.within(room)[0] / reuse.looks
        assert share == pytest.approx(lru_hits(keys, sizes, room) / 120_000, abs=0.03)


def test_what_it_refuses_and_what_it_takes() -> None:
    assert Reuse(4096).ram <= 4096 * 112
    for wrong in (0, 2**20 + 1):
        with pytest.raises(ValueError, match="can be followed"):
            Reuse(wrong)
    reuse = Reuse(8)
    with pytest.raises(ValueError, match="part"):
        reuse.fade(1.5)
    with pytest.raises(ValueError, match="bytes"):
        reuse.within(float("nan"))
    with pytest.raises(TypeError):
        reuse.see(1, 1, 0, 0, 0, 5)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        reuse.see(1 << 64, 1, 0, 0, 0)
    assert reuse.looks == 0, "nothing of them was counted"
