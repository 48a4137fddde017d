"""Raw ring records as tuples of integers, many at a time.

A tuple has the fields of `shared.events.Record` in their order; the three 64-bit words that
are unsigned in the ring (ts_ns, rid, look) are read as signed, which is how SQLite keeps them.
No object and no bytecode a record: at thousands of requests a second this is what the
control process does most.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

from pihub.shared.events import Record

FIELDS = tuple(field.name for field in dataclasses.fields(Record))
_LAYOUT = struct.Struct("<qqqq9I5I6H4BHHIqI4B")

Row = tuple[int, ...]


def at(name: str) -> int:
    """The place of a field in the tuples. Raises ValueError for an unknown one."""
    return FIELDS.index(name)


def decode(records: Sequence[bytes]) -> list[Row]:
    """In their order. Raises struct.error unless each record has 128 bytes.

    RAM: some 550 bytes a record.
    """
    if set(map(len, records)) - {_LAYOUT.size}:
        raise struct.error(f"a record has {_LAYOUT.size} bytes")
    return list(_LAYOUT.iter_unpack(b"".join(records)))
