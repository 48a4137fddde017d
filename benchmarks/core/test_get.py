"""Is a get of the shared cache as quick as one of a private cache?"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.core.contenders import ALL, SIZES, compare, one
from benchmarks.core.question import Answer

WANTED = {64: (2.5, 400), 1024: (4, 280), 16384: (17, 75)}
"""At most so many times dict.get; at least so many times quicker than Redis."""


def measure(rounds: int) -> Answer:
    return compare(str(__doc__), "get", tuple(ALL), WANTED, rounds)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_get(benchmark: Any, name: str, size: int) -> None:
    one(benchmark, "get", name, size)
