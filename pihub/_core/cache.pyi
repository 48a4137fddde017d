from typing import Self, final

from pihub._core.arena import Arena

@final
class Cache:
    """Shared answer cache: a log-structured ring per shard, the position is the version."""

    def __new__(cls, arena: Arena, region: str) -> Self: ...
    @staticmethod
    def size_for(payload_bytes: int) -> int: ...
    max_value: int
    def get(self, h1: int, h2: int, tenant: int) -> bytes | None: ...
    def get_stale(self, h1: int, h2: int, tenant: int) -> tuple[bytes, int] | None:
        """(value, seconds past its expiry; <= 0 while fresh), until its stale span ends."""
    def look(self, h1: int, h2: int, tenant: int) -> tuple[bytes, int, int] | None:
        """As get_stale, with the flags."""
    def put(
        self,
        h1: int,
        h2: int,
        tenant: int,
        value: bytes,
        ttl: float,
        stale: float = 0.0,
        tag: int = 0,
        saves: float = 1.0,
        flags: int = 0,
        compress: bool = False,
    ) -> int:
        """Bytes of the log that it takes; 0: refused (too large, or the shard's lock was busy).
        `ttl` then `stale` seconds more for get_stale. Raises ValueError for a negative time.

        `saves`: what one hit saves, in whichever unit all entries have in common: it decides
        with the size and the uses who stays. `flags`: 16 bits for look(). `compress`: LZ4
        from 4 KiB on, kept where it saves a quarter; the edge does not unpack."""
    def delete(self, h1: int, h2: int, tenant: int) -> bool:
        """Whether it was there. Raises TimeoutError if the shard stays locked for 20 ms."""
    def invalidate_tag(self, tag: int) -> None:
        """All entries put with `tag` are misses from now on (and those of tags equal
        to it modulo 4096); 0, the tag of all others, is not a tag."""
    def invalidate_tenant(self, tenant: int) -> None: ...
    def clear(self) -> None: ...
    def sweep(self, tenant: int, flags: int) -> int:
        """Delete all entries of a tenant that were put with `flags`: how many. Walks all slots:
        milliseconds. Raises TimeoutError if a shard stays locked for 20 ms."""
    def stale(self, limit: int) -> list[tuple[int, int, int, int, int, int]]:
        """Entries past their expiry but within their stale span, the oldest first: (seconds
        past it, seconds left, tenant, tag, bytes, flags). Walks all slots."""
    def census(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """{(tenant, tag): (entries, bytes, entries past their expiry)}; walks all
        slots: milliseconds, no lock."""
    def stats(self) -> dict[str, int]:
        """entries, bytes, capacity, puts, refused, evicted, moved, lock_busy"""
    def set_room(self, thousandths: int) -> None:
        """How much of each log is used from now on: less while memory is short."""
    def room(self) -> int: ...
    def trim(self) -> int:
        """Give the memory beyond the room back to the system: bytes of the page-aligned
        spans. What was kept there, and all that is older, is let go."""
    def recover(self, owner: int) -> int:
        """Free the locks that a dead worker (slot << 16 | incarnation) holds."""
    def set_owner(self, owner: int) -> None:
        """slot << 16 | incarnation of this process; once, after fork, before it puts."""
