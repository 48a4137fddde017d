"""The cache as an operator sees it: how full, whose, and how to empty it.

    pages = CachePages(state.cache)
    pages.fill()              # entries, bytes, room, evictions, what is refused
    pages.by_tenant()         # {tenant: Fill}: whose answers lie there; walks the cache once
    pages.purge_tenant(7)     # O(1): all that a tenant has is a miss from now on
    pages.purge_all()

Any process may call these; the page does in the control process, never in a worker's request:
`by_tenant` takes milliseconds. A single key is purged where keys are made
(`AnswerCache.delete`, `ByteCache.delete`).
"""

from __future__ import annotations

from typing import NamedTuple

from pihub._core.cache import Cache


class Fill(NamedTuple):
    """What lies in the cache; bytes with the entries' headers."""

    entries: int
    bytes: int
    stale: int = 0
    """Entries past their expiry that may still stand in for a failing upstream."""


class CachePages:
    """Reads and purges of the one shared cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def fill(self) -> dict[str, int]:
        """entries, bytes, capacity, room (thousandths), max_value, puts, refused, evicted,
        moved, lock_busy; the last five since the arena was made."""
        return {
            **self._cache.stats(),
            "room": self._cache.room(),
            "max_value": self._cache.max_value,
        }

    def by_tenant(self) -> dict[int, Fill]:
        """The largest first."""
        return self._grouped(0)

    def by_tag(self) -> dict[int, Fill]:
        """The largest first; 0 are the entries without a tag."""
        return self._grouped(1)

    def _grouped(self, which: int) -> dict[int, Fill]:
        found: dict[int, Fill] = {}
        for at, (entries, size, old) in self._cache.census().items():
            before = found.get(at[which], Fill(0, 0))
            found[at[which]] = Fill(
                before.entries + entries, before.bytes + size, before.stale + old
            )
        return dict(sorted(found.items(), key=lambda item: -item[1].bytes))

    def purge_tenant(self, tenant: int) -> None:
        self._cache.invalidate_tenant(tenant)

    def purge_tag(self, tag: int) -> None:
        self._cache.invalidate_tag(tag)

    def purge_all(self) -> None:
        self._cache.clear()
