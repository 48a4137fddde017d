"""The obvious twin of pihub._core.reuse: a list in the order of use, and every distance kept."""

from __future__ import annotations

from dataclasses import dataclass, field

U64 = 2**64 - 1
EDGES = [2.0 ** (10 + i // 8) * (1 + i % 8 / 8) for i in range(8 * 34 + 1)]
"""Where the buckets of distances end, in bytes."""


def sampled_by(key: int, tenant: int) -> int:
    """The 64 bits that decide whether a key is followed."""
    x = (key + tenant * 0x9E3779B97F4A7C15) & U64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & U64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & U64
    return x ^ x >> 31


@dataclass
class Followed:
    size: int = 0
    made: tuple[int, int] = (0, 0)
    until: int = 0


@dataclass
class Reuse:
    most: int
    looks: float = 0.0
    followed: float = 0.0
    threshold: int = U64
    order: list[int] = field(default_factory=list)
    """Ids, the last used last."""
    known: dict[int, Followed] = field(default_factory=dict)
    distances: list[tuple[float, float, int, int]] = field(default_factory=list)
    """(bytes, how often it counts, nano-USD, microseconds)."""

    @property
    def rate(self) -> float:
        return 1.0 if self.threshold == U64 else self.threshold / 2**64

    def see(
        self,
        key: int,
        tenant: int,
        now: int,
        size: int,
        ttl: int,
        made: tuple[int, int] | None = None,
    ) -> int:
        self.looks += 1
        one = sampled_by(key, tenant)
        if one >= self.threshold:
            return 0
        times = 1 / self.rate
        self.followed += times
        took = 0
        if one in self.known:
            before = self.known[one]
            took = before.made[1]
            behind = self.order[self.order.index(one) :]
            if before.size and not 0 < before.until <= now:
                distance = sum(self.known[other].size for other in behind) * times
                self.distances.append((distance, times, *before.made))
            self.order.remove(one)
        else:
            before = self.known[one] = Followed()
        self.order.append(one)
        if made is not None or not before.size:
            before.size = size
        before.made = before.made if made is None else made
        before.until = now + ttl if ttl else before.until
        if len(self.known) > self.most:
            self.threshold = max(self.known)
            del self.known[self.threshold]
            self.order.remove(self.threshold)
        return took

    def fade(self, part: float) -> None:
        self.looks *= part
        self.followed *= part
        self.distances = [(size, times * part, *made) for size, times, *made in self.distances]

    def within(self, size: float) -> tuple[float, float, float]:
        """`size` is one of EDGES: what is below it counts in full."""
        short = [one for one in self.distances if one[0] < size]
        count = sum(times for _, times, _, _ in short) + self.looks - self.followed
        return (
            min(max(count, 0), self.looks),
            sum(times * nano for _, times, nano, _ in short),
            sum(times * us for _, times, _, us in short),
        )
