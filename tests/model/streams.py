"""The obvious twin of pihub._core.streams: a dictionary of live streams."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_US = 2**40 - 1


@dataclass
class Stream:
    slot: int
    incarnation: int
    rid: int
    key: int
    tenant: int
    began: int
    last: int
    first: int = 0
    bytes: int = 0
    tokens: int = 0
    stalls: int = 0
    longest_us: int = 0
    cancelled: bool = False


@dataclass
class Streams:
    per_slot: int
    incarnations: dict[int, int] = field(default_factory=dict)
    live: dict[int, Stream] = field(default_factory=dict)
    """By handle, which is the real table's to choose among its slot's free rows."""
    untracked: int = 0

    def begin(self, slot: int, incarnation: int) -> None:
        self.incarnations[slot] = incarnation

    def full(self, slot: int) -> bool:
        return sum(one.slot == slot for one in self.live.values()) == self.per_slot

    def open(self, handle: int, slot: int, rid: int, now: int, key: int, tenant: int) -> None:
        if handle < 0:
            self.untracked += 1
            return
        assert handle not in self.live, "a row that is taken was given away"
        incarnation = self.incarnations[slot]
        self.live[handle] = Stream(slot, incarnation, rid, key, tenant, now, now)

    def tick(self, handle: int, tokens: int, nbytes: int, now: int, stall_ns: int) -> bool:
        one = self.live[handle]
        gap = max(now - one.last, 0)
        one.bytes += nbytes
        one.tokens += tokens
        if tokens and not one.first:
            one.first = now
        elif one.first and gap > stall_ns:
            one.stalls += 1
            one.longest_us = max(one.longest_us, min(gap // 1000, LONGEST_US))
        one.last = now
        return one.cancelled

    def close(self, handle: int) -> None:
        self.live.pop(handle, None)

    def held(self, key: int) -> int:
        return sum(one.key == key for one in self.live.values())

    def orphans(self, slot: int, incarnation: int) -> set[int]:
        gone = {
            handle
            for handle, one in self.live.items()
            if (one.slot, one.incarnation) == (slot, incarnation)
        }
        for handle in gone:
            del self.live[handle]
        return gone
