"""Readers of the key table during writes: never another identity's value, never half a row."""

from __future__ import annotations

from collections import Counter

from pihub._core.arena import Arena
from pihub._core.keytable import KeyTable
from tests.race.forks import fork, kill, rounds, running, until, wait

TOKENS = 24
"""More than fit at once: rows are freed and taken by other identities all the time."""


def make() -> KeyTable:
    keys = KeyTable(Arena.create([("k", KeyTable.size_for(12))], 2), "k")
    keys.set_pepper(b"0123456789abcdef")
    return keys


def value(token: int, version: int) -> tuple[int, int, int]:
    """Key, tenant and flags of which each can be computed from the others."""
    key = token << 16 | version & 0xFFFF
    return key, (key * 7 + 1) & 0xFFFF, (key * 13 + 5) & 0xFFFF


def check(token: int, found: tuple[int, int, int]) -> None:
    key, tenant, flags = found
    assert key >> 16 == token, f"token {token} got the value of {key >> 16}"
    assert (tenant, flags) == value(token, key)[1:], f"half a row: {found}"


def names() -> list[bytes]:
    return [b"token-%d" % n for n in range(TOKENS)]


def write_forever(keys: KeyTable) -> None:
    hashes = [keys.hash(name) for name in names()]
    version = 0
    while True:
        version += 1
        for token, h in enumerate(hashes):
            if (version + token) % 3:
                keys.put(h, *value(token, version), 0)
            else:
                keys.remove(h)


def test_readers_never_see_a_foreign_or_half_row() -> None:
    keys = make()
    tokens = names()

    def read() -> None:
        versions = set[int]()
        for _ in rounds(40_000, lambda: len(versions) > 100):
            for token, name in enumerate(tokens):
                found = keys.find(name, 1)
                if found is not None:
                    check(token, found)
                    versions.add(found[0] & 0xFFFF)

    with running(lambda: write_forever(keys)):
        wait([fork(read) for _ in range(2)])


def test_a_key_that_is_not_touched_is_always_found() -> None:
    keys = make()
    assert keys.put(keys.hash(b"stays"), 1, 2, 3, 0)
    writes = set[tuple[int, int, int] | None]()
    with running(lambda: write_forever(keys)):
        for number in rounds(500_000, lambda: len(writes) > 100):
            assert keys.find(b"stays", 1) == (1, 2, 3)
            if number % 64 == 0:
                writes.add(keys.find(b"token-0", 1))


def test_a_value_and_its_expiry_change_together() -> None:
    """Versions alternate between an odd key that lives and an even one that has expired."""
    keys = make()
    h = keys.hash(b"t")

    def write() -> None:
        version = 0
        while True:
            version += 1
            keys.put(h, version & 0xFFFF_FFFF, 1, 1, 0 if version % 2 else 1)

    seen = Counter[bool]()
    with running(write):
        until(lambda: keys.find(b"t", 100) is not None)
        for _ in rounds(500_000, lambda: min(seen[True], seen[False]) > 100):
            found = keys.find(b"t", 100)
            seen[found is not None] += 1
            if found is not None:
                assert found[0] % 2 == 1, "an expired value passed as alive"


def test_a_killed_writer_leaves_a_usable_table() -> None:
    keys = make()
    tokens = names()
    for _ in range(25):
        pid = fork(lambda: write_forever(keys))
        for _ in range(300):
            for token, name in enumerate(tokens):
                found = keys.find(name, 1)
                if found is not None:
                    check(token, found)
        kill(pid)
        live = keys.hashes()
        assert len(set(live)) == len(live), "an identity in two rows"
        keys.publish()
        assert len(keys) == len(live)
        for token, name in enumerate(tokens):
            found = keys.find(name, 1)
            assert (found is not None) == (keys.hash(name) in live)
            if found is not None:
                check(token, found)
