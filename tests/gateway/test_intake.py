"""What a body may be before anything parses it."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import BadRequest, TooLarge, UnsupportedCoding
from pihub.gateway.intake import require_utf8, undone


@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_a_coding_is_undone_up_to_the_limit(body: bytes, most: int) -> None:
    raw = zlib.compressobj(wbits=-15)
    forms = [
        ("gzip", gzip.compress(body)),
        (" GZIP ", gzip.compress(body)),
        ("x-gzip", gzip.compress(body)),
        ("deflate", zlib.compress(body)),
        ("deflate", raw.compress(body) + raw.flush()),
    ]
    for coding, data in forms:
        if len(body) <= most:
            assert undone(data, coding, most) == body
        else:
            with pytest.raises(TooLarge):
                undone(data, coding, most)
    assert undone(body, "identity", most) == undone(body, "", most) == body


@given(st.binary(max_size=300))
def test_whatever_comes_only_these_errors_leave(data: bytes) -> None:
    for coding in ("gzip", "deflate", "br", "gzip, gzip", "zstd", "\xff"):
        try:
            undone(data, coding, 1000)
        except (BadRequest, TooLarge, UnsupportedCoding):
            pass


def test_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    assert len(bomb) < 60_000
    with pytest.raises(TooLarge):
        undone(bomb, "gzip", 100_000)


@given(st.binary(max_size=50))
def test_json_is_utf8(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(BadRequest):
            require_utf8(data)
    else:
        require_utf8(data)
