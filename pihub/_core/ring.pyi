from typing import Self, final

from pihub._core.arena import Arena

RECORD: int
"""Bytes of a record: 128 (struct ph_event in include/ph_event.h)."""

@final
class Ring:
    """Single-producer ring of fixed records; overwrites the oldest, never blocks."""

    def __new__(
        cls, arena: Arena, region: str, rings: int, capacity: int, wake: int = -1
    ) -> Self:
        """`wake`: the reader's eventfd, non-blocking; -1: nobody is woken."""
    @staticmethod
    def size_for(rings: int, capacity: int) -> int: ...
    capacity: int
    def push(self, ring: int, record: bytes) -> None: ...
    def head(self, ring: int) -> int: ...
    def alarm(self, ring: int, at: int) -> None:
        """Have the reader's eventfd written to, once, when `at` records were ever pushed; 0: never.

        Only the reader sets alarms. One that the head has passed already does nothing.
        """
    @staticmethod
    def settle() -> bool:
        """Between setting alarms and looking at the heads a last time, before sleeping.

        True: a record is seen by that look, or its alarm will be heard. That is a fence in all
        processors, membarrier(2), which takes some 10 ms without CPU. False: the kernel knows
        no such call; a look some milliseconds later sees what this one could miss.
        """
    def read(self, ring: int, cursor: int, limit: int) -> tuple[int, int, list[bytes]]:
        """(new cursor, records lost to overwriting before it, records).

        ValueError for a cursor beyond the head: it belongs to another arena.
        """
