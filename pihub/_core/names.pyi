from typing import Self, final

from pihub._core.arena import Arena

@final
class Names:
    """Append-only shared table of short strings, so that events carry numbers."""

    def __new__(cls, arena: Arena, region: str) -> Self: ...
    @staticmethod
    def size_for(capacity: int) -> int: ...
    capacity: int
    def intern(self, name: str) -> int:
        """From 1; 0 for "" and when the table is full. At most 119 bytes of UTF-8 are kept."""
    def lookup(self, index: int) -> str:
        """"" for 0 or an unknown index."""
    def __len__(self) -> int: ...
