from typing import Self, final

@final
class Matcher:
    """Multi-literal matcher (Aho-Corasick, 1975), ASCII case-insensitive; read-only once built."""

    def __new__(cls, patterns: tuple[bytes, ...]) -> Self:
        """Raises ValueError for an empty pattern or more than 16 MiB of them."""
    def first(self, data: bytes) -> int:
        """Index of the pattern whose end comes first (of several, the longest), -1 if none."""
    def all(self, data: bytes, limit: int = 64) -> list[tuple[int, int]]:
        """(pattern, end offset) pairs in order of end offset."""
    def control(self, data: bytes) -> bool:
        """Whether a byte below 0x20 other than tab, or 0x7f, occurs."""
    memory: int
    """Bytes of the tables."""
