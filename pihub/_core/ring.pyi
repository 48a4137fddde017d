from typing import Self, final

from pihub._core.arena import Arena

RECORD: int
"""Bytes of a record: 128 (struct ph_event in include/ph_event.h)."""

@final
class Ring:
    """Single-producer ring of fixed records; overwrites the oldest, never blocks."""

    def __new__(cls, arena: Arena, region: str, rings: int, capacity: int) -> Self: ...
    @staticmethod
    def size_for(rings: int, capacity: int) -> int: ...
    capacity: int
    def push(self, ring: int, record: bytes) -> None: ...
    def head(self, ring: int) -> int: ...
    def read(self, ring: int, cursor: int, limit: int) -> tuple[int, int, list[bytes]]:
        """(new cursor, records lost to overwriting before it, records).

        ValueError for a cursor beyond the head: it belongs to another arena.
        """
