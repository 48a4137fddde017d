"""The answer cache: canonical answers by canonical question, for all protocols.

The key is XXH3-128 over the request in canonical form, without what does not change
the answer (`stream`, `include_usage`, `user`, `keep_alive`), seeded by the arena's
secret and the configuration's epoch. The tenant is compared in the entry itself.
"""

from __future__ import annotations

import msgspec

from pihub._core.cache import Cache
from pihub._core.edge import pack_wire, wire_key
from pihub._core.hashing import xxh3_128
from pihub.domain.chat import Answer, Ask

Key = tuple[int, int]

SECOND_NANO = 100_000
"""What a second of waiting is worth, in nano-USD: 0.36 USD an hour. By it the seconds of a
local model and the money of a paid one are compared when room must be made."""
LEAST_NANO = 1_000.0
"""What any hit saves: the work of asking."""


def group(look: int) -> int:
    """The 16 bits by which all entries of one key are found again (`Cache.sweep`): the kept
    answer and each rendered form of it. `look`: the key's first half; never 0."""
    return (look ^ look >> 16 ^ look >> 32 ^ look >> 48) & 0xFFFF or 1


def worth(cost_nano: int, seconds: float) -> float:
    """What a hit on an entry saves, in nano-USD: the money, and the time it took to make."""
    return max(cost_nano, 0) + max(seconds, 0.0) * SECOND_NANO + LEAST_NANO


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A kept answer and where it came from."""

    answer: Answer
    upstream: str
    model: str
    route: str
    """`upstream/model`"""
    cost_nano: int
    """What it cost when it was made; -1: unknown."""
    simulated: bool = False
    worth_nano: int = 0
    """What an answer from here saves: its cost, or what the chain's paid model would have
    asked for the same tokens if that is more."""


class Once(msgspec.Struct, frozen=True, array_like=True):
    """What an Idempotency-Key stands for."""

    body: Key
    """Of the request's exact bytes."""
    stored: Stored | None
    """None: the first request is still at work, or its worker has died."""


class Wire(msgspec.Struct, frozen=True):
    """A rendered answer that the edge can send as it is."""

    content_type: str
    headers: list[tuple[str, str]]
    body: bytes
    model: int
    upstream: int
    alias: int
    stream: bool
    saved_nano: int
    in_tok: int
    out_tok: int
    simulated: bool = False
    look: int = 0
    """First half of the canonical key."""


class AnswerCache:
    """Kept answers of all tenants."""

    def __init__(self, cache: Cache, secret: bytes, epoch: int) -> None:
        self._cache = cache
        self._secret = secret
        self._epoch = epoch
        self._seed = int.from_bytes(secret[:8], "little") ^ (epoch & 0xFFFFFFFFFFFFFFFF)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Stored).decode
        self._decode_once = msgspec.msgpack.Decoder(Once).decode
        self.max_value = cache.max_value

    def key(self, ask: Ask) -> Key:
        """The canonical key of a request."""
        plain = msgspec.structs.replace(
            ask, stream=False, include_usage=False, user="", keep_alive=None
        )
        return xxh3_128(self._encode(plain), self._seed)

    def get(self, key: Key, tenant: int) -> Stored | None:
        data = self._cache.get(key[0], key[1], tenant)
        return None if data is None else self._decode(data)

    def get_stale(self, key: Key, tenant: int) -> tuple[Stored, int] | None:
        """(answer, seconds past its time), also some time after that."""
        found = self._cache.get_stale(*key, tenant)
        return None if found is None else (self._decode(found[0]), found[1])

    def put(
        self,
        key: Key,
        tenant: int,
        stored: Stored,
        ttl: float,
        saves: float = LEAST_NANO,
        tag: int = 0,
        stale: float = 0.0,
    ) -> int:
        """Bytes that it takes; 0 if it was refused (too large, or the shard was busy).
        `stale`: seconds after `ttl` for get_stale. `saves`: `worth()`. `tag`: what it can be
        purged by, the model's name number."""
        return self._cache.put(
            *key,
            tenant,
            self._encode(stored),
            ttl,
            stale,
            tag=tag,
            saves=saves,
            flags=group(key[0]),
            compress=True,
        )

    def delete(self, key: Key, tenant: int) -> bool:
        """Whether it was there."""
        return self._cache.delete(key[0], key[1], tenant)

    def once_key(self, owner: int, name: str) -> Key:
        """Of an Idempotency-Key: each API key (`owner`) has its own."""
        return xxh3_128(b"once\0%d\0%s" % (owner, name.encode("utf-8", "replace")), self._seed)

    def orphan_key(self, exact: Key, owner: int) -> Key:
        """Of an answer whose client left: for the same bytes from the same API key."""
        return xxh3_128(b"orphan\0%d\0%d\0%d" % (owner, *exact), self._seed)

    def get_once(self, key: Key, tenant: int) -> Once | None:
        data = self._cache.get(key[0], key[1], tenant)
        try:
            return None if data is None else self._decode_once(data)
        except msgspec.DecodeError:
            return None  # kept by another version of the hub

    def put_once(self, key: Key, tenant: int, once: Once, ttl: float) -> bool:
        """False if it was refused. It counts as worth what its answer has cost."""
        saves = LEAST_NANO if once.stored is None else worth(once.stored.cost_nano, 60.0)
        data = self._encode(once)
        return self._cache.put(*key, tenant, data, ttl, saves=saves, compress=True) > 0

    def put_wire(
        self, key: Key, tenant: int, wire: Wire, ttl: float, saves: float = LEAST_NANO
    ) -> int:
        """Keep the rendered form under the exact bytes of the request: bytes that it takes."""
        packed = pack_wire(
            200,
            wire.content_type.encode("latin-1"),
            [(n.encode("latin-1"), v.encode("latin-1")) for n, v in wire.headers],
            wire.body,
            model=wire.model,
            upstream=wire.upstream,
            alias=wire.alias,
            stream=wire.stream,
            saved_nano=wire.saved_nano,
            in_tok=wire.in_tok,
            out_tok=wire.out_tok,
            simulated=wire.simulated,
            look=wire.look,
        )
        return self._cache.put(
            *key, tenant, packed, ttl, tag=wire.alias, saves=saves, flags=group(wire.look)
        )

    def wire_key(self, route: int, body: bytes) -> Key:
        """The edge's key of a request's exact bytes."""
        return wire_key(self._secret, self._epoch, route, body)


class ByteCache:
    """Opaque byte values with an owner, for the generic APIs."""

    def __init__(self, cache: Cache, secret: bytes, epoch: int, tag: int = 0) -> None:
        """`tag`: what its values can be purged by, such as the API's name number; those that
        are put without a `look` have none."""
        self._tag = tag
        self._cache = cache
        # Another seed than the answers': the two share the arena, never a key.
        self._seed = int.from_bytes(secret[8:16], "little") ^ (epoch & 0xFFFFFFFFFFFFFFFF)
        self.max_value = cache.max_value

    def get(self, key: bytes, tenant: int) -> tuple[bytes, int] | None:
        """(value, seconds past its freshness; <= 0 while fresh)."""
        h1, h2 = xxh3_128(key, self._seed)
        return self._cache.get_stale(h1, h2, tenant)

    def put(
        self,
        key: bytes,
        tenant: int,
        value: bytes,
        ttl: float,
        stale: float,
        saves: float = LEAST_NANO,
        look: int = 0,
    ) -> int:
        """Bytes that it takes, 0: refused. `saves`: `worth()` of the time that the upstream
        took. `look`: what its entries are purged by (`group`)."""
        h1, h2 = xxh3_128(key, self._seed)
        return self._cache.put(
            h1,
            h2,
            tenant,
            value,
            ttl,
            stale,
            tag=self._tag if look else 0,
            saves=saves,
            flags=group(look) if look else 0,
            compress=True,
        )

    def delete(self, key: bytes, tenant: int) -> bool:
        h1, h2 = xxh3_128(key, self._seed)
        return self._cache.delete(h1, h2, tenant)
