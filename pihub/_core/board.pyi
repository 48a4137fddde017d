from typing import Self, final

from pihub._core.arena import Arena

@final
class Board:
    """A published blob: one writer replaces it whole, any reader copies it whole."""

    def __new__(cls, arena: Arena, region: str) -> Self: ...
    @staticmethod
    def size_for(capacity: int) -> int: ...
    capacity: int
    def publish(self, data: bytes) -> int:
        """Returns the new generation (from 1). Raises ValueError if too large."""
    def generation(self) -> int: ...
    def read(self) -> tuple[int, bytes]:
        """(generation, copy); (0, b"") if nothing was published."""
