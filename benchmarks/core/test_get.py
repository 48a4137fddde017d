"""Is a get of the shared cache as quick as one of a private cache?"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.core.contenders import ALL, SLOW, pairs
from benchmarks.core.question import Answer, Target, least

SIZES = {64: 1000, 1024: 1000, 16384: 250}
"""Bytes of a value, and how many keys."""
WANTED = {64: (2.5, 400), 1024: (4, 280), 16384: (17, 75)}
"""At most so many times dict.get; at least so many times quicker than Redis."""


def measure(rounds: int) -> Answer:
    answer = Answer(str(__doc__))
    for size, keys in SIZES.items():
        with ExitStack() as stack:
            found = pairs(os.urandom(size), keys, stack, answer.missing)
            for _, put in found.values():
                put()
            row = least({n: get for n, (get, _) in found.items()}, keys, rounds * 40, SLOW)
        answer.rows[f"get {size} B"] = row
        most, redis = WANTED[size]
        answer.targets.append(Target(f"get {size} B, x dict.get", row["pihub"] / row["dict"], most))
        if "redis" in row:
            times = row["redis"] / row["pihub"]
            answer.targets.append(Target(f"get {size} B, quicker than Redis", times, redis, True))
    return answer


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ALL)
def test_get(benchmark: Any, name: str, size: int) -> None:
    benchmark.group = f"get {size} B, all keys once"
    with ExitStack() as stack:
        try:
            get, put = ALL[name](os.urandom(size), SIZES[size], stack)
        except ImportError as error:
            pytest.skip(f"{name} is not installed: {error}")
        put()
        benchmark.pedantic(get, rounds=20, warmup_rounds=1)
