"""The shared cache against a dict, its bounds, its eviction."""

from __future__ import annotations

import mmap
import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from tests.effort import examples
from tests.model import cache as model


def make(payload: int = 256 * 1024) -> Cache:
    return Cache(Arena.create([("cache", Cache.size_for(payload))], 2), "cache")


def key_of(rng: random.Random) -> tuple[int, int]:
    return rng.getrandbits(64), rng.getrandbits(64)


KEYS = [key_of(random.Random(n)) for n in range(6)]
STEP = st.tuples(
    st.sampled_from(["put", "put", "put", "stale", "delete", "tag", "tenant", "clear"]),
    st.integers(0, len(KEYS) - 1),
    st.integers(1, 3),
    st.integers(0, 3),
    st.one_of(st.integers(0, 40), st.integers(0, 6_000)),
)


@examples(150)
@given(st.lists(STEP, max_size=120))
def test_is_a_dict_while_it_has_room(steps: list[tuple[str, int, int, int, int]]) -> None:
    """At most 18 live entries of 6 KB: well below 80 % of the arena, so nothing may go."""
    real, twin = make(), model.Cache()
    for n, (what, which, tenant, tag, size) in enumerate(steps):
        key = (*KEYS[which], tenant)
        if what in ("put", "stale"):
            value = struct.pack("<II", n, size) + b"%d" % n * (size // 4)
            fresh = what == "put"
            assert real.put(*key, value, 1_000.0 if fresh else 0.0, 500.0, tag)
            twin.put(key, value, fresh, tag)
        elif what == "delete":
            assert real.delete(*key) is twin.delete(key)
        elif what == "tag":
            real.invalidate_tag(tag)
            twin.invalidate_tag(tag)
        elif what == "tenant":
            real.invalidate_tenant(tenant)
            twin.invalidate_tenant(tenant)
        else:
            real.clear()
            twin.values.clear()
        for other in KEYS:
            for who in (1, 2, 3):
                at = (*other, who)
                assert real.get(*at) == twin.get(at)
                found = real.get_stale(*at)
                assert (found and found[0]) == twin.get_stale(at)
                if found:
                    assert (found[1] <= 0) is twin.values[at][1]


def test_delete_is_of_the_entry_even_if_invalidated_before() -> None:
    cache = make()
    cache.put(1, 2, 3, b"x", 10)
    cache.invalidate_tenant(3)
    assert cache.get(1, 2, 3) is None
    cache.put(1, 2, 3, b"y", 10)
    assert cache.get(1, 2, 3) == b"y"


def test_the_tenant_is_part_of_the_key() -> None:
    cache = make()
    for tenant in range(100):
        assert cache.put(7, 7, tenant, b"of %d" % tenant, 60)
    for tenant in range(100):
        assert cache.get(7, 7, tenant) == b"of %d" % tenant
    # Enough tenants for some to share bucket and tag with these.
    assert all(cache.get(7, 7, tenant) is None for tenant in range(100, 60_000))


def test_every_bit_of_the_key_counts() -> None:
    cache = make()
    h1, h2 = key_of(random.Random(5))
    cache.put(h1, h2, 1, b"x", 60)
    for bit in range(64):
        assert cache.get(h1 ^ 1 << bit, h2, 1) is None
        assert cache.get(h1, h2 ^ 1 << bit, 1) is None
    assert cache.get(h1, h2, 1) == b"x"


def test_time_to_live() -> None:
    cache = make()
    put_at = time.monotonic()
    cache.put(1, 1, 1, b"short", 0.5, 1.0)
    cache.put(2, 2, 1, b"long", 1e12)
    assert cache.get(1, 1, 1) == b"short"
    gone = None
    while time.monotonic() < put_at + 10:
        fresh, stale = cache.get(1, 1, 1), cache.get_stale(1, 1, 1)
        age = time.monotonic() - put_at
        if fresh:
            assert age < 0.6
        elif stale:
            assert stale[0] == b"short"
            assert stale[1] in (0, 1, 2)
            assert age > 0.4
        else:
            gone = age
            break
    assert gone is not None
    assert 1.3 < gone < 9
    assert cache.get(2, 2, 1) == b"long"


def test_a_negative_time_is_refused() -> None:
    cache = make()
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="time to live"):
            cache.put(1, 1, 1, b"", bad)
    with pytest.raises(ValueError, match="owner"):
        cache.set_owner(0)


def test_sizes_up_to_the_largest() -> None:
    cache = make()
    assert cache.put(1, 1, 1, b"", 60)
    assert cache.get(1, 1, 1) == b""
    top = cache.max_value
    assert cache.put(2, 2, 1, b"z" * top, 60)
    assert cache.get(2, 2, 1) == b"z" * top
    assert not cache.put(3, 3, 1, b"z" * (top + 1), 60)
    assert cache.stats()["refused"] == 1
    assert cache.get(2, 2, 1) == b"z" * top


@pytest.mark.parametrize("mb", [1, 16, 64, 300])
def test_the_payload_fits_in(mb: int) -> None:
    cache = make(mb << 20)
    assert cache.stats()["capacity"] > 0.97 * (mb << 20)
    if mb == 64:
        assert cache.max_value > 1 << 20


def test_too_small_a_region() -> None:
    with pytest.raises(ValueError, match="cannot have a region"):
        Cache(Arena.create([("cache", 4096)], 1), "cache")


def test_random_traffic_never_gives_another_value() -> None:
    """Sizes and keys of all kinds over a small arena: a get is the last put, or nothing."""
    cache = make(128 * 1024)
    rng = random.Random(11)
    keys = [key_of(rng) for _ in range(3_000)]
    last: dict[int, bytes] = {}
    hits = 0
    for n in range(120_000):
        i = min(int(rng.paretovariate(0.6)) - 1, len(keys) - 1)
        found = cache.get(*keys[i], i % 5)
        if found is not None:
            hits += 1
            assert found == last[i]
        if found is None or rng.random() < 0.05:
            size = rng.choice((0, 1, 30, 200, 1_000, 5_000, 20_000))
            value = b"%d:" % n * (size // 4)
            if cache.put(*keys[i], i % 5, value, 60):
                last[i] = value
    stats = cache.stats()
    assert hits > 30_000
    assert stats["evicted"] > 1_000, "the test evicted nothing"
    assert 0 < stats["bytes"] <= stats["capacity"]
    assert 0 < stats["entries"] < len(keys)


def test_live_counts_agree_with_what_is_there() -> None:
    cache = make(128 * 1024)
    rng = random.Random(2)
    keys = [key_of(rng) for _ in range(2_000)]
    for n in range(20_000):
        key = keys[rng.randrange(len(keys))]
        if rng.random() < 0.2:
            cache.delete(*key, 1)
        else:
            cache.put(*key, 1, b"v" * rng.randrange(400), 60)
        if n % 1_000 == 0:
            assert cache.stats()["entries"] == sum(cache.get(*k, 1) is not None for k in keys)


def zipf(rng: random.Random, n: int, s: float, count: int) -> list[int]:
    weights = [1 / (i + 1) ** s for i in range(n)]
    order = list(range(n))
    rng.shuffle(order)
    return rng.choices(order, weights, k=count)


def hit_ratio(trace: list[int], cache: Cache, keys: list[tuple[int, int]], value: bytes) -> float:
    hits = 0
    for i in trace:
        if cache.get(*keys[i], 1) is not None:
            hits += 1
        else:
            cache.put(*keys[i], 1, value, 600)
    return hits / len(trace)


def lru_ratio(trace: list[int], capacity: int) -> float:
    held: dict[int, None] = {}
    hits = 0
    for i in trace:
        if i in held:
            hits += 1
            del held[i]
        elif len(held) == capacity:
            del held[next(iter(held))]
        held[i] = None
    return hits / len(trace)


@pytest.mark.parametrize("scan", [0.0, 0.3])
def test_eviction_is_better_than_lru_of_the_same_capacity(scan: float) -> None:
    rng = random.Random(4)
    n, count = 40_000, 150_000
    trace = zipf(rng, n, 0.9, count)
    if scan:
        once = iter(range(n, n + count))
        trace = [next(once) if rng.random() < scan else i for i in trace]
    keys = [key_of(rng) for _ in range(n + count)]
    cache = make(1 << 20)
    value = b"v" * 464  # with its header 512 bytes
    capacity = cache.stats()["capacity"] // 512
    ours, lru = hit_ratio(trace, cache, keys, value), lru_ratio(trace, capacity)
    assert ours > lru + 0.03, f"{ours:.3f} against {lru:.3f}"


def test_one_hot_key_survives_a_flood_of_cold_ones() -> None:
    cache = make(256 * 1024)
    rng = random.Random(9)
    cache.put(1, 1, 1, b"hot", 600)
    for _ in range(20_000):
        assert cache.get(1, 1, 1) == b"hot"
        cache.put(*key_of(rng), 1, b"c" * 900, 600)


def test_overwriting_does_not_throw_out_the_live() -> None:
    cache = make(256 * 1024)
    rng = random.Random(6)
    cold = [key_of(rng) for _ in range(60)]
    for key in cold:
        cache.put(*key, 1, b"cold" * 200, 600)
    for n in range(5_000):
        cache.put(1, 1, 1, b"%d" % n * 300, 600)
    assert all(cache.get(*key, 1) for key in cold)


def test_another_view_shares_and_readonly_only_looks() -> None:
    arena = Arena.create([("cache", Cache.size_for(1 << 20))], 1)
    cache = Cache(arena, "cache")
    cache.put(1, 2, 3, b"x", 60)
    assert Cache(Arena.attach(arena.fd), "cache").get(1, 2, 3) == b"x"
    top = Cache(Arena.attach(arena.fd, readonly=True), "cache")
    assert top.get(1, 2, 3) == b"x"
    assert top.stats()["entries"] == 1
    with pytest.raises(PermissionError):
        top.put(1, 2, 3, b"y", 60)


def test_a_held_lock_is_given_up_not_waited_for() -> None:
    """Another owner's word in the lock: puts fail fast, gets go on, recovery frees."""
    arena = Arena.create([("cache", Cache.size_for(1 << 20))], 1)
    cache = Cache(arena, "cache")
    cache.put(1, 2, 3, b"x", 60)
    with lock_by(arena, 5 << 16 | 9):
        started = time.monotonic()
        assert not cache.put(1, 2, 3, b"y", 60)
        assert time.monotonic() - started < 1
        assert cache.get(1, 2, 3) == b"x"
        with pytest.raises(TimeoutError):
            cache.delete(1, 2, 3)
        assert cache.stats()["lock_busy"] == 2
        assert cache.recover(7 << 16 | 1) == 0
        assert cache.recover(5 << 16 | 9) == 1
        assert cache.put(1, 2, 3, b"y", 60)


def lock_by(arena: Arena, owner: int) -> mmap.mmap:
    """Write `owner` into the (only) shard's lock, from outside."""
    offset, _ = arena.region("cache")
    view = mmap.mmap(arena.fd, arena.size)
    at = offset + 128 + 128 + 2 * 4 * 4096  # region head, cache head with its generations
    view[at : at + 4] = owner.to_bytes(4, "little")
    return view
