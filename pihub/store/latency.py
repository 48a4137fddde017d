"""A small histogram of durations, for quantiles of stored roll-ups.

Quarter octaves: bucket b holds the microseconds of [2^(b/4), 2^((b+1)/4)); the middle
of a bucket is at most 9 % off. As bytes: (u8 bucket, u32 count) pairs in order, little
endian, so a minute of steady traffic takes some 30 bytes; at most 640.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import accumulate
from math import isqrt

_PAIR = struct.Struct("<BI")
BUCKETS = 128
PER_OCTAVE = 4
_COUNT_MAX = 0xFFFFFFFF

Buckets = dict[int, int]


def _least(index: int) -> int:
    """The least whole number whose fourth power is 2^index or more."""
    return isqrt(isqrt((1 << index) - 1)) + 1


bucket: Callable[[int], int] = partial(bisect_right, [_least(i) for i in range(1, BUCKETS)])
"""The bucket of a duration; zero counts as one. One call in C: it is asked once a request."""


def middle(index: int) -> float:
    """The geometric middle of a bucket, in microseconds."""
    return float(2.0 ** ((index + 0.5) / PER_OCTAVE))


def pack(buckets: Mapping[int, int]) -> bytes:
    """Counts beyond 32 bits are clamped."""
    return b"".join(_PAIR.pack(i, min(n, _COUNT_MAX)) for i, n in sorted(buckets.items()) if n)


def unpack(data: bytes) -> Buckets:
    """Raises struct.error for bytes that `pack` did not make."""
    return dict(_PAIR.iter_unpack(data))


def merge(into: Buckets, other: Mapping[int, int]) -> None:
    for index, count in other.items():
        into[index] = into.get(index, 0) + count


def add_packed(one: bytes, two: bytes) -> bytes:
    """Both histograms in one; the SQL function of the roll-ups. Raises struct.error."""
    both = unpack(one)
    merge(both, unpack(two))
    return pack(both)


_MIDDLES = [middle(index) for index in range(256)]


def quantiles(packed: bytes, qs: Iterable[float]) -> tuple[float, ...]:
    """Microseconds by quantile of a packed histogram; zeros when nothing was counted.

    Raises struct.error for bytes that `pack` did not make. A few microseconds: a report
    asks it for each of its rows.
    """
    if not packed:
        return tuple(0.0 for _ in qs)
    flat = _pairs(len(packed) // _PAIR.size).unpack(packed)
    reached = list(accumulate(flat[1::2]))
    last = len(reached) - 1
    total = reached[last]
    return tuple([_MIDDLES[flat[2 * min(bisect_left(reached, q * total), last)]] for q in qs])


@cache
def _pairs(count: int) -> struct.Struct:
    """So many pairs at once: half the time of one after the other. At most 256 of them."""
    return struct.Struct("<" + "BI" * count)
