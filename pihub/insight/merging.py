"""All workers' records as one sequence, in the order in which the requests ended.

A ring is in that order by itself: a record is pushed when its request is over. Merging what
lies in the rings is not enough, neither from batch to batch (one ring may have more than the
batch takes) nor to the last record (a worker may be about to push one that ended before it).
So a batch ends at a *watermark*: the least of the ends up to which each ring was read, and of
the time until which all that ended is pushed. What lies beyond stays in its ring, unread as
far as the cursor knows, so that holding it back can neither lose it nor take memory.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

_TIMES = struct.Struct("<Q24xI92x")
"""Start (ns) and duration (us) of `struct ph_event` (shared.events)."""


class Rings(Protocol):
    """The bare rings (`_core.ring.Ring`)."""

    capacity: int

    def head(self, ring: int) -> int: ...

    def read(self, ring: int, cursor: int, limit: int) -> tuple[int, int, list[bytes]]: ...


class Batch(NamedTuple):
    cursors: dict[int, int]
    """As given, each moved behind what of its ring is in `records` or `lost`."""
    lost: int
    records: list[bytes]


class Settled(NamedTuple):
    """Times of the wall clock, ns."""

    until: int
    """What ended by then has been pushed, unless its worker was stopped in mid-push."""
    now: int
    """Records from after it (the clock was set back) are not waited for."""


def ends(records: Sequence[bytes], now: int | None) -> list[int]:
    """When each ended, ns; never less than the one before, for no ring is reordered.

    One that cannot be true, from after `now`, counts as its predecessor's.
    """
    found = []
    last = 0
    for start, us in _TIMES.iter_unpack(b"".join(records)):
        end = start + us * 1000
        if end > last and (now is None or end <= now):
            last = end
        found.append(last)
    return found


class Merge:
    """Reads the first `rings` rings of `ring`."""

    def __init__(self, ring: Rings, rings: int) -> None:
        self._ring = ring
        self._rings = rings

    def batch(self, cursors: dict[int, int], limit: int, settled: Settled | None) -> Batch:
        """At most about `limit` records; none if there are none that may go.

        `settled` None: all may go, now. So may they while a ring is half full: it is better to
        store a record out of order than to lose it. RAM: 161 bytes a record and 70 for its
        place.
        """
        moved = dict(cursors)
        waiting = {
            ring: self._ring.head(ring) - cursor
            for ring, cursor in cursors.items()
            if ring < self._rings
        }
        busy = [ring for ring, count in waiting.items() if count]
        if not busy:
            return Batch(moved, 0, [])
        if max(waiting.values()) * 2 >= self._ring.capacity:
            settled = None
        share = max(1, limit // len(busy))
        now = settled.now if settled else None
        bounds = [settled.until] if settled else []
        read = []
        lost = 0
        for ring in busy:
            end, missed, found = self._ring.read(ring, cursors[ring], share)
            moved[ring] = end - len(found)
            lost += missed
            at = ends(found, now)
            if found and end - cursors[ring] < waiting[ring]:
                bounds.append(at[-1])
            read.append((ring, at, found))
        bound = min(bounds, default=None)
        keys: list[int] = []
        records: list[bytes] = []
        for ring, at, found in read:
            count = len(found) if bound is None else bisect_right(at, bound)
            moved[ring] += count
            keys += at[:count]
            records += found[:count]
        if len(busy) > 1:  # of ordered runs, which is what timsort takes in linear time
            order = sorted(range(len(keys)), key=keys.__getitem__)
            records = list(map(records.__getitem__, order))
        return Batch(moved, lost, records)
