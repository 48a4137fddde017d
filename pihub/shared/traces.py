"""Traces that clients brought along: a worker writes them, the exporter finds them.

W3C Trace Context: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from pihub._core.ring import Ring

CAPACITY = 512
"""A worker's newest: 64 KiB, touched only when a client sends a traceparent."""
_LAYOUT = struct.Struct("<Q16s8sB95x")
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
SAMPLED = 1


class Trace(NamedTuple):
    """What a `traceparent` says."""

    trace_id: str
    parent_id: str
    flags: int

    def child(self, span_id: str) -> str:
        """The field for the next hop, whose parent is this hub's span."""
        return f"00-{self.trace_id}-{span_id}-{self.flags & SAMPLED:02x}"


def parse(text: str) -> Trace | None:
    """None for what is not valid (section 3.2): such a field is ignored, a trace restarted."""
    found = _PARENT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, parent_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return Trace(trace_id, parent_id, int(flags, 16))


class TraceLog:
    """One small ring a worker."""

    def __init__(self, ring: Ring, rings: int) -> None:
        self._ring = ring
        self._rings = rings
        self._cursors = [0] * rings

    def push(self, slot: int, rid: int, trace: Trace) -> None:
        """By the worker that owns the slot."""
        self._ring.push(
            slot,
            _LAYOUT.pack(
                rid, bytes.fromhex(trace.trace_id), bytes.fromhex(trace.parent_id), trace.flags
            ),
        )

    def drain(self) -> dict[int, Trace]:
        """By request id: what came since the last call; one reader only."""
        found: dict[int, Trace] = {}
        for ring in range(self._rings):
            while True:
                self._cursors[ring], _, raw = self._ring.read(ring, self._cursors[ring], CAPACITY)
                for item in raw:
                    rid, trace_id, parent_id, flags = _LAYOUT.unpack(item)
                    found[rid] = Trace(trace_id.hex(), parent_id.hex(), flags)
                if not raw:
                    break
        return found
