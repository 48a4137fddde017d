"""Vectors of questions whose answers are kept, each in the shared cache beside its answer.

A vector lies under a key made of everything that must be equal: tenant (compared in the entry
itself), model, embedder, the request without its last question, and that question's essence
(domain/sameness.py). So a look-up reads four entries at most, whatever the cache holds, and no
index of its own has to be kept right: a vector is written with the tag, the tenant, the time
to live and the purge mark of its answer, and names that answer's key. What is purged or has
run out is not found there, so a vector that is left over leads to a miss.

All workers share it as they share the cache; two that write at once lose one vector, at most.
RAM: inside `cache.size`, about 60 B and a byte a dimension for a kept answer (768: 0.8 KiB),
let go like any other entry.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import sqrt
from operator import mul

import msgspec

from pihub._core.cache import Cache
from pihub._core.hashing import xxh3_128
from pihub.shared.answers import Key, group

SLOTS = 4
"""Answers of one essence that are told apart by their vectors."""
DIMENSIONS = 4096
"""Of the longest vector that is taken."""
SAVES = 1_000.0
"""What a hit on a vector saves: it must not outlive answers for its own sake."""


class Meaning(msgspec.Struct, frozen=True, array_like=True):
    vector: bytes
    """int8"""
    norm: int
    """Its scalar product with itself."""
    key: Key
    """Of the answer."""


class Meanings:
    """Of all tenants."""

    def __init__(self, cache: Cache, secret: bytes, epoch: int) -> None:
        self._cache = cache
        self._seed = int.from_bytes(secret[:8], "little") ^ (epoch & 0xFFFFFFFFFFFFFFFF)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Meaning).decode

    def kind(self, alias: str, embedder: str, context: Key, essence: Sequence[str]) -> Key:
        """Whose vectors may be compared at all."""
        whole = self._encode(("meaning", alias, embedder, context, essence))
        return xxh3_128(whole, self._seed)

    def nearest(
        self, kind: Key, tenant: int, vector: bytes, but: Key
    ) -> tuple[float, Key] | None:
        """(cosine similarity, key of the answer) of the most similar one other than `but`."""
        best: tuple[float, Key] | None = None
        norm = dot(vector, vector)
        for slot in range(SLOTS):
            data = self._cache.get(*self._place(kind, slot), tenant)
            if data is None:
                continue
            try:
                one = self._decode(data)
            except msgspec.DecodeError:
                continue  # of another version of the hub
            if one.key == but or len(one.vector) != len(vector):
                continue
            near = dot(vector, one.vector) / sqrt(norm * one.norm)
            if best is None or near > best[0]:
                best = (near, one.key)
        return best

    def put(
        self, kind: Key, tenant: int, vector: bytes, key: Key, ttl: float, tag: int
    ) -> bool:
        """Beside the answer that was just kept under `key`; False if the cache refused it."""
        place = self._place(kind, key[1] % SLOTS)
        data = self._encode(Meaning(vector, dot(vector, vector), key))
        return (
            self._cache.put(*place, tenant, data, ttl, tag=tag, saves=SAVES, flags=group(key[0]))
            > 0
        )

    def _place(self, kind: Key, slot: int) -> Key:
        return xxh3_128(b"meaning\0%d\0%d\0%d" % (*kind, slot), self._seed)


def quantised(vector: Sequence[float]) -> bytes:
    """As int8, scaled to its largest value, which cosines do not see; empty for what is no
    direction (zero, not finite, too long)."""
    most = max(map(abs, vector), default=0.0)
    if not 0 < most < float("inf") or len(vector) > DIMENSIONS:
        return b""
    scale = 127 / most
    return array("b", [round(value * scale) for value in vector]).tobytes()


def dot(one: bytes, two: bytes) -> int:
    """Scalar product of two quantised vectors. At 768 dimensions some 50 us on x86-64."""
    return sum(map(mul, array("b", one), array("b", two)))
