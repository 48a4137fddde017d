"""Stored answers of one API: keys, variants, invalidation, over a CacheFace.

Under the key of a URI lies either an answer, or, if the answer varies, the names of
the request fields that select it; the answer then lies under a key with their values.
An unsafe request leaves a mark for its URI, common to all tenants: answers that were
asked for before the mark are not used any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from pihub.domain.ports import Headers
from pihub.gateway.api.cache_rules import Plan, vary_names
from pihub.gateway.api.faces import CacheFace
from pihub.gateway.api.headers import field
from pihub.shared.answers import worth

_MARK_TTL: Final = 7 * 86400.0
_LEAST: Final = 0.001
_MARK_WORTH: Final = 1e15
"""A mark outlasts what it invalidates: nothing that is kept for its worth comes near."""
_EVERYBODY: Final = 0
"""Owner of the marks."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A stored answer. `asked_ns`, `stored_ns`: CLOCK_MONOTONIC, common to workers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    plan: Plan
    asked_ns: int
    stored_ns: int


class _Record(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What lies in the cache: one of the two."""

    entry: Entry | None = None
    selector: tuple[str, ...] | None = None
    """The names of a Vary field."""


class ApiCache:
    """RAM: none of its own; one entry is at most `max_value` bytes in the arena."""

    def __init__(
        self,
        name: str,
        face: CacheFace,
        *,
        max_value: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._name = name.encode()
        self._face = face
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Record).decode
        self.max_value = max_value
        self.clock = clock

    def get(self, uri: str, request: Headers, tenant: int) -> Entry | None:
        """The stored answer that `request` selects, fresh or not."""
        record = self._read(self._key(b"a", uri), tenant)
        if record is None:
            return None
        if record.selector is not None:
            record = self._read(self._key(b"v", uri, record.selector, request), tenant)
            if record is None:
                return None
        entry = record.entry
        if entry is None or entry.asked_ns <= self._marked_ns(uri):
            return None
        return entry

    def put(
        self,
        uri: str,
        request: Headers,
        tenant: int,
        *,
        status: int,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        plan: Plan,
        asked_ns: int,
    ) -> int:
        """Store an answer that `cache_rules.plan` allows: its bytes, 0 if it was refused."""
        if len(body) > self.max_value:
            return 0
        entry = Entry(status, list(headers), body, plan, asked_ns, self.clock())
        ttl = max(plan.lifetime - plan.age, _LEAST)
        names = vary_names(headers)
        key, look = self._key(b"a", uri), self.look(uri)
        if names:
            selector = self._encode(_Record(selector=names))
            if not self._face.put(key, tenant, selector, ttl, plan.keep, look=look):
                return 0
            key = self._key(b"v", uri, names, request)
        value = self._encode(_Record(entry=entry))
        saves = worth(0, (entry.stored_ns - asked_ns) / 1e9)
        return self._face.put(key, tenant, value, ttl, plan.keep, saves, look)

    def look(self, uri: str) -> int:
        """What names a URI in records and to a purge: 64 bits, never 0."""
        return int.from_bytes(self._key(b"a", uri)[:8], "little") or 1

    def resident(self, entry: Entry) -> float:
        """Seconds since the entry was stored."""
        return max(0.0, (self.clock() - entry.stored_ns) / 1e9)

    def invalidate(self, uri: str, tenant: int) -> None:
        """What was stored for `uri` must not be used any more, by any tenant."""
        self._face.delete(self._key(b"a", uri), tenant)
        mark = self.clock().to_bytes(8, "little")
        self._face.put(self._key(b"i", uri), _EVERYBODY, mark, _MARK_TTL, 0.0, _MARK_WORTH)

    def _read(self, key: bytes, tenant: int) -> _Record | None:
        found = self._face.get(key, tenant)
        if found is None:
            return None
        try:
            return self._decode(found[0])
        except msgspec.DecodeError:
            # Written by another version of this code.
            return None

    def _marked_ns(self, uri: str) -> int:
        found = self._face.get(self._key(b"i", uri), _EVERYBODY)
        return -1 if found is None else int.from_bytes(found[0], "little")

    def _key(
        self, kind: bytes, uri: str, names: tuple[str, ...] = (), request: Headers = ()
    ) -> bytes:
        # A digest, because keys share their hash's space with what callers choose.
        digest = blake2b(digest_size=20, person=b"pihub-api")
        for part in (kind, self._name, uri.encode("utf-8", "surrogateescape")):
            digest.update(len(part).to_bytes(4, "little") + part)
        for name in names:
            value = field(request, name)
            part = b"-" if value is None else b"+" + value.encode("utf-8", "surrogateescape")
            digest.update(len(part).to_bytes(4, "little") + part)
        return digest.digest()
