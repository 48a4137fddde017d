"""What the scanner found in a request: 128 bytes, as they travel and as they are kept."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_LAYOUT: Final = struct.Struct("<QQIHBB12s12sI4s28s44s")
SIZE: Final = _LAYOUT.size


class Finding(NamedTuple):
    """No part of the value itself is kept: it may be somebody's secret."""

    id: int
    """Random, 63 bits; shown as 16 hex digits."""
    ts_ns: int
    offset: int
    """Where in the decoded value."""
    tenant: int
    points: int
    blocked: bool
    kind: str
    """The class of attack."""
    place: str
    field: str
    rule: str
    path: str
    key: int = 0
    """Number of the API key that it came with; 0: none that is known."""

    def pack(self) -> bytes:
        """128 bytes; texts are cut at what fits."""
        return _LAYOUT.pack(
            self.id,
            self.ts_ns,
            min(self.offset, 0xFFFFFFFF),
            self.tenant,
            min(self.points, 255),
            self.blocked,
            self.kind.encode()[:12],
            self.place.encode()[:12],
            self.key,
            b"",
            self.rule.encode()[:28],
            _both(self.field, self.path),
        )

    @classmethod
    def unpack(cls, data: bytes) -> Finding:
        """Raises struct.error if `data` is not 128 bytes long."""
        (id_, ts, offset, tenant, points, blocked, kind, place, key, _, rule, both) = (
            _LAYOUT.unpack(data)
        )
        field, _, path = _text(both).partition("\n")
        return cls(
            id_, ts, offset, tenant, points, bool(blocked), _text(kind), _text(place), field,
            _text(rule), path, key,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The id as people see it."""
        return f"{self.id:016x}"


def _both(field: str, path: str) -> bytes:
    first = "".join(c if c.isprintable() else "?" for c in field).encode()[:18]
    rest = "".join(c if c.isprintable() else "?" for c in path).encode()
    return (first + b"\n" + rest)[:44]


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("utf-8", "ignore")
