"""Request records: their fields in Python, their bytes in the ring.

The bytes are `struct ph_event` of _core/include/ph_event.h; a test compares both. Workers
write them through their journal (SharedState.journal); this is the readers' side.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from pihub._core.ring import Ring

_LAYOUT = struct.Struct("<QQqq9I5I6H4BHHIQI4B")


class CacheState(IntEnum):
    """How the cache took part in an answer."""

    NONE = 0
    HIT = 1
    MISS = 2
    BYPASS = 3
    SHARED = 4
    STALE = 5
    NEGATIVE = 6
    """What was kept is an upstream's refusal."""


ANSWERED_HERE = (CacheState.HIT, CacheState.SHARED, CacheState.STALE)
"""No upstream was called for these."""


class Flag(IntFlag):
    STREAM = 1
    ERROR = 2
    CLIENT_GONE = 4
    SIMULATED = 8
    ESTIMATED = 16
    """Token counts are estimates: the upstream never told them."""
    WHOLE = 32
    """Of rows of the stream table only, as the next: a call that is no stream, but paid."""
    FOLLOWS = 64
    """A stream that another request pays for."""


@dataclass(slots=True)
class Record:
    """One request. Times in microseconds, money in nano-USD (-1: unknown)."""

    ts_ns: int = 0
    rid: int = 0
    cost_nano: int = 0
    saved_nano: int = 0
    dur_us: int = 0
    ttft_us: int = 0
    in_tok: int = 0
    out_tok: int = 0
    cache_read_tok: int = 0
    cache_write_tok: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    key: int = 0
    inspect_us: int = 0
    lookup_us: int = 0
    route_us: int = 0
    call_us: int = 0
    render_us: int = 0
    status: int = 0
    tenant: int = 0
    route: int = 0
    """Number of shared.metrics.Route."""
    model: int = 0
    """Index into the shared names, as `upstream`, `alias` and `error`."""
    upstream: int = 0
    alias: int = 0
    cache: int = 0
    flags: int = 0
    attempts: int = 0
    reason: int = 0
    worker: int = 0
    error: int = 0
    kept: int = 0
    """Bytes that the answer takes in the cache; 0: it was not kept."""
    look: int = 0
    """First half of the cache key that the request looked for (an exact hit: of the canonical
    one); 0: it did not look."""
    kept_ttl: int = 0
    """Seconds."""
    why: int = 0
    """Number of domain.whynot.WhyNot."""
    queued: int = 0
    """Waits for a turn at a local model and for a place in the pool, as domain.brief has it."""
    dialed: int = 0
    """What new connections took (name, TCP, TLS), likewise."""
    stalls: int = 0

    def pack(self) -> bytes:
        """128 bytes; values beyond a field's width are clamped."""
        u32 = 0xFFFFFFFF
        return _LAYOUT.pack(
            self.ts_ns,
            self.rid,
            self.cost_nano,
            self.saved_nano,
            min(self.dur_us, u32),
            min(self.ttft_us, u32),
            min(self.in_tok, u32),
            min(self.out_tok, u32),
            min(self.cache_read_tok, u32),
            min(self.cache_write_tok, u32),
            min(self.bytes_in, u32),
            min(self.bytes_out, u32),
            self.key,
            min(self.inspect_us, u32),
            min(self.lookup_us, u32),
            min(self.route_us, u32),
            min(self.call_us, u32),
            min(self.render_us, u32),
            self.status,
            self.tenant,
            self.route,
            self.model,
            self.upstream,
            self.alias,
            self.cache,
            self.flags,
            min(self.attempts, 255),
            self.reason,
            self.worker,
            self.error,
            min(self.kept, u32),
            self.look,
            min(self.kept_ttl, u32),
            self.why,
            self.queued,
            self.dialed,
            min(self.stalls, 255),
        )

    @classmethod
    def unpack(cls, data: bytes) -> Record:
        """Raises struct.error if `data` is not 128 bytes long."""
        return cls(*_LAYOUT.unpack(data))


class EventLog:
    """Every worker's ring of records, as the recorder and the page read them.

    `wake`: the eventfd that the rings' alarms write to; -1: nobody can be woken.
    """

    def __init__(self, ring: Ring, rings: int, wake: int) -> None:
        self.ring = ring
        self.rings = rings
        self.wake = wake

    def push(self, slot: int, record: Record) -> None:
        """A record that is not counted: of what was before, or of nobody's request."""
        self.ring.push(slot, record.pack())

    def read(self, slot: int, cursor: int, limit: int = 1024) -> tuple[int, int, list[Record]]:
        """(new cursor, records lost, records) of one worker's ring."""
        cursor, lost, raw = self.ring.read(slot, cursor, limit)
        return cursor, lost, [Record.unpack(item) for item in raw]
