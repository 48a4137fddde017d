"""What an upstream refused a moment ago, for whoever asks the very same: negative entries.

They lie in the cache beside the answers, under a key of their own, and count as worth no more
than the work of asking. RAM: some 250 bytes each, of the cache's.
"""

from __future__ import annotations

import msgspec

from pihub._core.cache import Cache
from pihub._core.hashing import xxh3_128
from pihub.shared.answers import LEAST_NANO, Key, group


class Negative(msgspec.Struct, frozen=True, array_like=True):
    """An error as its client was told it."""

    code: str
    message: str
    upstream_status: int
    failures: tuple[str, ...]
    """What each target of the chain said, as x-pihub-reason shows it."""


class NegativeCache:
    """Refusals of all tenants; each API key has its own."""

    def __init__(self, cache: Cache, secret: bytes, epoch: int) -> None:
        self._cache = cache
        self._seed = int.from_bytes(secret[:8], "little") ^ (epoch & 0xFFFFFFFFFFFFFFFF)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Negative).decode

    def key(self, exact: Key, owner: int, said: tuple[str | None, ...]) -> Key:
        """Of the same bytes (`exact`, the edge's key) from the same API key (`owner`), with
        the same header fields `said` where these change what is asked."""
        return xxh3_128(self._encode(("refused", *exact, owner, said)), self._seed)

    def get(self, key: Key, tenant: int) -> Negative | None:
        data = self._cache.get(*key, tenant)
        try:
            return None if data is None else self._decode(data)
        except msgspec.DecodeError:
            return None  # kept by another version of the hub

    def put(self, key: Key, tenant: int, refusal: Negative, ttl: float, tag: int) -> int:
        """Bytes that it takes; 0 if it was refused. `tag`: the model's name number."""
        return self._cache.put(
            *key, tenant, self._encode(refusal), ttl,
            tag=tag, saves=LEAST_NANO, flags=group(key[0]),
        )  # fmt: skip
