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


def test_one_answer_is_purged_by_its_key() -> None:
    cache = Cache(Arena.create([("cache", Cache.size_for(1 << 20))], 1), "cache")
    answers = AnswerCache(cache, b"s" * 32, 1)
    cache.put(5, 6, 1, b"x", 60)
    assert answers.delete((5, 6), 1) is True
    assert answers.delete((5, 6), 1) is False
