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
    def feed(self, data: bytes, state: int = 0) -> tuple[int, int, int]:
        """A chunk of a longer text: (pattern, offset after its end in the chunk, state) of the
        first end, or (-1, length, state). Give the state with what follows.

        Raises ValueError for a foreign state.
        """
    def control(self, data: bytes) -> bool:
        """Whether a byte below 0x20 other than tab, or 0x7f, occurs."""
    memory: int
    """Bytes of the tables."""

@final
class Literals:
    """Up to 1024 literals of 2 to 255 bytes, ASCII case-insensitive (Teddy, with exact confirm)."""

    def __new__(cls, patterns: tuple[bytes, ...]) -> Self:
        """Raises ValueError for others."""
    def first(self, data: bytes, start: int = 0, engine: str = "") -> tuple[int, int] | None:
        """(index, offset) of the first literal that begins at or after `start`; of several
        that begin there, the lowest index.

        `engine`: `narrow` (what a machine with half the vector would use), `scalar`; default
        the machine's best. Raises ValueError for another one.
        """

def classes(data: bytes, engine: str = "") -> int:
    """The classes of bytes that occur, ORed (the bits stand in include/ph_class.h).

    `engine`: `baseline` (SSE2 on x86-64), `scalar`; default the machine's best.
    Raises ValueError for another one.
    """
