from collections.abc import Sequence
from typing import final

@final
class Arena:
    """One MAP_SHARED memfd mapping, carved into named, page-aligned regions."""

    fd: int
    size: int
    creator_pid: int
    secret: bytes
    """32 random bytes, made at creation; the seed of every keyed structure."""
    page: int
    """Bytes; regions begin at multiples of it, and memory is given back in its units."""
    boot_id: int
    """Random u64 made at creation: tells one arena's life from the next."""
    @staticmethod
    def create(
        regions: Sequence[tuple[str, int]], n_workers: int, page: int = 0
    ) -> Arena:
        """`page`: what regions begin at multiples of, in bytes; 0: this machine's page."""
    @staticmethod
    def attach(fd: int, readonly: bool = False) -> Arena:
        """Raises ValueError when magic, layout version or struct sizes differ."""
    def regions(self) -> dict[str, tuple[int, int]]: ...
    def region(self, name: str) -> tuple[int, int]:
        """(offset, length); KeyError if there is none."""
    def dump(self, offset: int, length: int) -> bytes:
        """A copy, for tests and `pihub top`."""
    # worker slots: 0 is the control process, 1..n_workers the data plane
    n_slots: int
    def claim_slot(self, slot: int, pid: int) -> int:
        """Take a slot after fork; returns its new incarnation (u16, never 0)."""
    def release_slot(self, slot: int, pid: int) -> bool: ...
    def beat(self, slot: int, now_ms: int) -> None: ...
    def slot_info(self, slot: int) -> tuple[int, int, int]:
        """(pid or 0, incarnation, last heartbeat in CLOCK_MONOTONIC ms)"""
