from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pihub._core import hashing
from tests.model import hashing as model

KEY = bytes(range(16))
U64 = st.integers(0, 2**64 - 1)

# The authors' reference output (vectors_sip128) for key 00..0f and data 00, 01, .. n-1.
SIP128 = {
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
    2: "8177228da4a45dc7fca38bdef60affe4",
    3: "9c70b60c5267a94e5f33b6b02985ed51",
    7: "a1f1ebbed8dbc153c0b84aa61ff08239",
    8: "3b62a9ba6258f5610f83e264f31497b4",
    15: "5493e99933b0a8117e08ec0f97cfc3d9",
    63: "5150d1772f50834a503e069a973fbd7c",
}


def words(text: str) -> tuple[int, int]:
    raw = bytes.fromhex(text)
    return int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")


@pytest.mark.parametrize("n", SIP128)
def test_siphash_reference_vectors(n: int) -> None:
    assert hashing.siphash128(KEY, bytes(range(n))) == words(SIP128[n])


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_siphash_as_the_model(key: bytes, data: bytes) -> None:
    assert hashing.siphash128(key, data) == model.siphash128(key, data)


def test_siphash_of_more_than_256_bytes() -> None:
    """The length enters modulo 256."""
    for n in (255, 256, 257, 1000):
        assert hashing.siphash128(KEY, b"x" * n) == model.siphash128(KEY, b"x" * n)


@pytest.mark.parametrize("n", [0, 15, 17])
def test_siphash_key_has_16_bytes(n: int) -> None:
    with pytest.raises(ValueError, match="16"):
        hashing.siphash128(bytes(n), b"")


@given(st.binary(max_size=600), U64)
def test_xxh3_as_the_library(data: bytes, seed: int) -> None:
    assert hashing.xxh3_64(data, seed) == xxhash.xxh3_64_intdigest(data, seed)
    both = hashing.xxh3_128(data, seed)
    assert both == divmod(xxhash.xxh3_128_intdigest(data, seed), 2**64)


@pytest.mark.parametrize("n", [1000, 16384, 1_000_003])
def test_xxh3_of_long_input(n: int) -> None:
    data = bytes(i * 7 % 251 for i in range(n))
    assert hashing.xxh3_64(data) == xxhash.xxh3_64_intdigest(data)


def test_only_bytes_and_u64() -> None:
    for wrong in ("text", bytearray(b"x"), None):
        with pytest.raises(TypeError):
            hashing.xxh3_64(wrong)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        hashing.xxh3_64(b"", 2**64)
    with pytest.raises(OverflowError):
        hashing.xxh3_64(b"", -1)
