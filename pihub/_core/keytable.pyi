from typing import Self, final

from pihub._core.arena import Arena

@final
class KeyTable:
    """SipHash of an API key -> who it is; lock-free reads, one writer (control)."""

    def __new__(cls, arena: Arena, region: str) -> Self: ...
    @staticmethod
    def size_for(capacity: int) -> int: ...
    capacity: int
    def set_pepper(self, pepper: bytes) -> None:
        """16 bytes; once, before fork or by the control process. ValueError for another one."""
    def hash(self, token: bytes) -> tuple[int, int]:
        """The token's identity. ValueError before the pepper is set."""
    def put(self, h: tuple[int, int], key: int, tenant: int, flags: int, expires: int) -> bool:
        """`expires` in unix seconds, 0 = never. False when the table is full."""
    def remove(self, h: tuple[int, int]) -> bool: ...
    def find(self, token: bytes, now: int) -> tuple[int, int, int] | None:
        """(key, tenant, flags) of a live key."""
    def hashes(self) -> list[tuple[int, int]]:
        """All identities, so that a restarted writer can remove those it does not know."""
    def publish(self) -> int:
        """Marks the table as loaded and recounts it; generation from 1."""
    def generation(self) -> int: ...
    def __len__(self) -> int: ...
