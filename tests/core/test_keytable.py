from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.keytable import KeyTable
from tests.model import hashing
from tests.model import keytable as model

PEPPER = bytes(range(16))
TOKENS = [f"pk-{n}".encode() for n in range(40)]


def make(capacity: int = 20, pepper: bytes = PEPPER) -> tuple[Arena, KeyTable]:
    arena = Arena.create([("k", KeyTable.size_for(capacity))], 1)
    keys = KeyTable(arena, "k")
    keys.set_pepper(pepper)
    return arena, keys


STEP = st.one_of(
    st.tuples(
        st.just("put"),
        st.sampled_from(TOKENS),
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**16 - 1),
            st.integers(0, 2**16 - 1),
            st.one_of(st.just(0), st.integers(1, 2000)),
        ),
    ),
    st.tuples(st.just("remove"), st.sampled_from(TOKENS), st.none()),
    st.tuples(st.just("publish"), st.just(b""), st.none()),
)


@given(st.sampled_from([1, 3, 20]), st.lists(STEP, max_size=120), st.integers(0, 3000))
def test_as_the_model(
    capacity: int, steps: list[tuple[str, bytes, tuple[int, int, int, int] | None]], now: int
) -> None:
    _, real = make(capacity)
    twin = model.KeyTable(real.capacity)
    assert real.capacity >= capacity
    for what, token, values in steps:
        h = hashing.siphash128(PEPPER, token)
        if what == "put":
            assert values is not None
            assert real.put(h, *values) == twin.put(h, *values)
        elif what == "remove":
            assert real.remove(h) == twin.remove(h)
        else:
            real.publish()
        assert len(real) == len(twin.rows)
    for token in TOKENS:
        assert real.hash(token) == hashing.siphash128(PEPPER, token)
        assert real.find(token, now) == twin.find(real.hash(token), now)
    assert sorted(real.hashes()) == sorted(twin.rows)


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 3), st.sampled_from([0, 4, 8, 1 << 63]), st.integers(0, 9)
        ),
        max_size=60,
    )
)
def test_identities_that_share_a_row_stay_apart(steps: list[tuple[bool, int, int, int]]) -> None:
    """Hashes chosen to collide in h0, in the first row probed, or with the row marks 0 and 1."""
    _, real = make(3)
    twin = model.KeyTable(real.capacity)
    for put, h0, h1, key in steps:
        h = (h0 + 2, h1)
        if put:
            assert real.put(h, key, 1, 2, 0) == twin.put(h, key, 1, 2, 0)
        else:
            assert real.remove(h) == twin.remove(h)
        assert sorted(real.hashes()) == sorted(twin.rows)
        assert len(real) == len(twin.rows)


def test_a_hash_like_a_row_mark_is_a_key_as_any() -> None:
    _, keys = make()
    for mark in (0, 1):
        assert keys.put((mark, 5), 7, 1, 0, 0)
        assert keys.remove((mark, 5))
    assert len(keys) == 0


@pytest.mark.parametrize("half", [0, 1])
def test_all_128_bits_are_compared(half: int) -> None:
    """An identity that differs in one bit, in the same row of the table, is another one."""
    _, keys = make()
    h = keys.hash(b"t")
    near = (h[0] ^ (1 << 62), h[1]) if half == 0 else (h[0], h[1] ^ (1 << 62))
    assert keys.put(near, 1, 2, 3, 0)
    assert keys.find(b"t", 0) is None
    assert keys.put(h, 4, 5, 6, 0)
    assert keys.find(b"t", 0) == (4, 5, 6)
    assert len(keys) == 2


def test_expiry_is_the_first_second_that_is_refused() -> None:
    _, keys = make()
    keys.put(keys.hash(b"t"), 1, 2, 3, 1000)
    assert keys.find(b"t", 999) == (1, 2, 3)
    assert keys.find(b"t", 1000) is None
    keys.put(keys.hash(b"t"), 1, 2, 3, 0)
    assert keys.find(b"t", 2**63) == (1, 2, 3)


def test_full_table_refuses_new_and_changes_old() -> None:
    _, keys = make(3)
    n = keys.capacity
    for i in range(n):
        assert keys.put(keys.hash(TOKENS[i]), i, 0, 0, 0)
    assert not keys.put(keys.hash(b"one more"), 99, 0, 0, 0)
    assert keys.find(b"one more", 0) is None
    assert keys.put(keys.hash(TOKENS[0]), 77, 0, 0, 0)
    assert keys.find(TOKENS[0], 0) == (77, 0, 0)
    assert keys.remove(keys.hash(TOKENS[1]))
    assert keys.put(keys.hash(b"one more"), 99, 0, 0, 0)


def test_churn_leaves_room() -> None:
    _, keys = make(3)
    for i in range(1000):
        h = keys.hash(b"%d" % i)
        assert keys.put(h, i, 0, 0, 0)
        assert keys.find(b"%d" % i, 0) == (i, 0, 0)
        assert keys.remove(h)
    assert keys.hashes() == []


def test_pepper() -> None:
    arena = Arena.create([("k", KeyTable.size_for(4))], 1)
    keys = KeyTable(arena, "k")
    assert keys.find(b"t", 0) is None
    with pytest.raises(ValueError, match="no pepper"):
        keys.hash(b"t")
    for bad in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match="16"):
            keys.set_pepper(bad)
    keys.set_pepper(PEPPER)
    keys.set_pepper(PEPPER)
    with pytest.raises(ValueError, match="another"):
        keys.set_pepper(bytes(16))
    assert keys.hash(b"t") == hashing.siphash128(PEPPER, b"t")
    _, other = make(pepper=bytes(16))
    assert other.hash(b"t") != keys.hash(b"t")


def test_generation_and_attach() -> None:
    arena, keys = make()
    assert keys.generation() == 0
    keys.put(keys.hash(b"t"), 1, 2, 3, 0)
    assert keys.publish() == 1
    assert keys.publish() == keys.generation() == 2
    seen = KeyTable(Arena.attach(arena.fd, True), "k")
    assert seen.find(b"t", 0) == (1, 2, 3)
    assert len(seen) == 1
    for write in (
        lambda: seen.put((2, 2), 1, 1, 1, 0),
        lambda: seen.remove((2, 2)),
        lambda: seen.publish(),
        lambda: seen.set_pepper(PEPPER),
    ):
        with pytest.raises(PermissionError):
            write()
