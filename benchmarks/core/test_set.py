"""Is a set of the shared cache as quick as one of a private cache?"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.core.contenders import ALL, SIZES, compare, one
from benchmarks.core.question import Answer

WANTED = {64: (3.5, 150), 1024: (6, 110), 16384: (18, 38)}
"""At most so many times dict; at least so many times quicker than Redis."""
NAMES = tuple(name for name in ALL if name != "lru_cache")  # which has no set


def measure(rounds: int) -> Answer:
    return compare(str(__doc__), "set", NAMES, WANTED, rounds)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_set(benchmark: Any, name: str, size: int) -> None:
    one(benchmark, "set", name, size)
