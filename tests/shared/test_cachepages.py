from __future__ import annotations

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub.shared.answers import AnswerCache
from pihub.shared.cachepages import CachePages, Fill


def test_whose_it_is_and_purging() -> None:
    arena = Arena.create([("cache", Cache.size_for(1 << 20))], 1)
    cache = Cache(arena, "cache")
    pages = CachePages(cache)
    for n in range(1, 31):
        cache.put(n << 40, n, 1 + n % 3, b"v" * (1000 if n % 3 else 100), 60, tag=n % 2)
    assert pages.by_tenant() == {2: Fill(10, 10720), 3: Fill(10, 10720), 1: Fill(10, 1760)}
    assert {tag: fill.entries for tag, fill in pages.by_tag().items()} == {0: 15, 1: 15}
    fill = pages.fill()
    assert (fill["entries"], fill["room"]) == (30, 1000)
    pages.purge_tenant(2)
    assert set(pages.by_tenant()) == {1, 3}
    pages.purge_tag(1)
    assert set(pages.by_tag()) == {0}
    pages.purge_all()
    assert pages.by_tenant() == {}


def test_all_entries_of_a_key_go_and_what_is_past_its_time_is_listed() -> None:
    cache = Cache(Arena.create([("cache", Cache.size_for(1 << 20))], 1), "cache")
    for n, (tenant, flags) in enumerate([(1, 7), (1, 7), (1, 8), (2, 7)], 1):
        cache.put(n << 40, n, tenant, b"v", 60, flags=flags)
    assert cache.sweep(1, 7) == 2
    assert [cache.get(n << 40, n, t) is None for n, t in ((1, 1), (2, 1), (3, 1), (4, 2))] == [
        True, True, False, False,
    ]  # fmt: skip
    assert cache.sweep(1, 7) == 0
    assert cache.stale(9) == []
    for n in range(1, 31):
        h1 = n * 0x9E3779B97F4A7C15 % 2**64
        cache.put(h1, n, 3, b"v" * 100, 0, stale=999 + n, tag=5, flags=9)
    found = cache.stale(4)
    assert [(past, tenant, tag, size, flags) for past, _, tenant, tag, size, flags in found] == [
        (0, 3, 5, 176, 9)
    ] * 4
    assert {1000 <= left <= 1030 for _, left, *_ in found} == {True}
    assert CachePages(cache).by_tenant()[3] == Fill(30, 30 * 176, 30)


def test_one_answer_is_purged_by_its_key() -> None:
    cache = Cache(Arena.create([("cache", Cache.size_for(1 << 20))], 1), "cache")
    answers = AnswerCache(cache, b"s" * 32, 1)
    cache.put(5, 6, 1, b"x", 60)
    assert answers.delete((5, 6), 1) is True
    assert answers.delete((5, 6), 1) is False
