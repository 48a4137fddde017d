from typing import Self, final

@final
class Reuse:
    """Reuse distances of the keys that a cache is asked for; at most `most` are followed.

    Raises ValueError unless `most` is from 1 to 1,048,576. Not for two threads at once.
    """

    def __new__(cls, most: int) -> Self: ...
    def see(
        self,
        key: int,
        tenant: int,
        now: int,
        size: int,
        ttl: int,
        made: tuple[int, int] | None = None,
    ) -> int:
        """One look-up of `key` (u64) at second `now`: microseconds that its answer once took
        to make, 0 if that is not known.

        made: (nano-USD, microseconds) of an answer that was just made, None if none was.
        size: bytes that it takes in the cache, 0: it was not kept; if none was made, a guess
        for a key whose size is not known. ttl: seconds that it is good from now on; 0: as it
        was before."""
    def fade(self, part: float) -> None:
        """Everything counted so far counts `part` (0 to 1) from now on."""
    def within(self, size: float) -> tuple[float, float, float]:
        """(look-ups, nano-USD, microseconds) that an LRU cache of `size` bytes would have
        answered and saved, of all since the beginning, as far as they have not faded."""
    @property
    def looks(self) -> float:
        """Look-ups, as far as they have not faded."""
    @property
    def rate(self) -> float:
        """Part of all keys that is followed: 1 while they are few."""
    @property
    def ram(self) -> int:
        """Bytes of memory: about 104 a followed key."""
    def __len__(self) -> int:
        """Keys that are followed."""
