"""What the cache lets go, what it packs, and how it gives room back."""

from __future__ import annotations

import random

import pytest

from pihub._core.arena import Arena
from pihub._core.cache import Cache


def make(payload: int = 256 * 1024) -> Cache:
    return Cache(Arena.create([("cache", Cache.size_for(payload))], 2), "cache")


def keys_of(n: int) -> list[tuple[int, int]]:
    rng = random.Random(n)
    return [(rng.getrandbits(64), rng.getrandbits(64)) for _ in range(n)]


def test_what_saves_more_stays() -> None:
    cache = make()
    keys = keys_of(3_000)
    rng = random.Random(3)
    dear = set(rng.sample(range(len(keys)), 100))
    for _ in range(20_000):
        i = rng.randrange(len(keys))
        if cache.get(*keys[i], 1) is None:
            cache.put(*keys[i], 1, b"v" * 960, 600, saves=1e6 if i in dear else 1e3)
    there = [i for i in range(len(keys)) if cache.get(*keys[i], 1) is not None]
    assert len(set(there) & dear) > 90, "the dear ones were let go"
    assert len(there) > 180


def test_a_large_one_must_save_more_to_stay() -> None:
    cache = make()
    keys = keys_of(2_000)
    rng = random.Random(5)
    for _ in range(30_000):
        i = rng.randrange(len(keys))
        if cache.get(*keys[i], 1) is None:
            cache.put(*keys[i], 1, b"v" * (8_000 if i % 2 else 400), 600, saves=1e3)
    small, large = (
        sum(cache.get(*keys[i], 1) is not None for i in range(odd, len(keys), 2))
        for odd in (0, 1)
    )
    assert small > 10 * max(large, 1)


def test_cheap_ones_that_are_asked_often_beat_dear_ones_that_are_not() -> None:
    cache = make()
    rng = random.Random(8)
    hot = keys_of(40)
    for _ in range(200):
        for key in hot:
            if cache.get(*key, 1) is None:
                cache.put(*key, 1, b"h" * 960, 600, saves=1e3)
        for _ in range(20):
            cache.put(rng.getrandbits(64), rng.getrandbits(64), 1, b"c" * 960, 600, saves=3e3)
    assert sum(cache.get(*key, 1) is not None for key in hot) >= 38


@pytest.mark.parametrize("text", [True, False])
def test_packing(text: bool) -> None:
    cache = make(1 << 20)
    value = b'{"role":"assistant","content":"yes"},' * 400
    if not text:
        value = random.Random(1).randbytes(len(value))
    assert cache.put(1, 2, 3, value, 60, compress=True, flags=7)
    assert cache.get(1, 2, 3) == value
    assert cache.look(1, 2, 3) == (value, -60, 7)
    assert (cache.stats()["bytes"] < len(value) // 4) is text
    cache.put(4, 5, 6, value[:4000], 60, compress=True)
    assert cache.stats()["bytes"] > 4000
    for n in range(40):  # what does not pack is not tried each time; it is kept all the same
        assert cache.put(n, n, 1, value, 60, tag=9, compress=True)
        assert cache.get(n, n, 1) == value


def test_less_room_lets_go_and_more_takes_again() -> None:
    cache = make()
    keys = keys_of(2_000)

    def fill() -> int:
        for key in keys:
            cache.put(*key, 1, b"v" * 960, 600)
        return cache.stats()["bytes"]

    full = fill()
    assert cache.room() == 1000
    cache.set_room(300)
    assert fill() < 0.36 * full
    assert cache.room() == 300
    assert cache.stats()["entries"] == sum(cache.get(*key, 1) is not None for key in keys)
    cache.set_room(1000)
    assert fill() > 0.95 * full
    assert cache.stats()["entries"] == sum(cache.get(*key, 1) is not None for key in keys)
    for bad in (0, 1001):
        with pytest.raises(ValueError, match="room"):
            cache.set_room(bad)
    with pytest.raises(ValueError, match="save"):
        cache.put(1, 1, 1, b"", 1, saves=-1.0)
