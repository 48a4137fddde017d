"""Is a set of the shared cache as quick as one of a private cache?"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.core.contenders import ALL, SLOW, pairs
from benchmarks.core.question import Answer, Target, least
from benchmarks.core.test_get import SIZES

WANTED = {64: (3.5, 150), 1024: (6, 110), 16384: (18, 38)}
NAMES = [name for name in ALL if name != "lru_cache"]  # which has no set


def measure(rounds: int) -> Answer:
    answer = Answer(str(__doc__))
    for size, keys in SIZES.items():
        with ExitStack() as stack:
            found = pairs(os.urandom(size), keys, stack, answer.missing)
            runs = {name: found[name][1] for name in NAMES if name in found}
            row = least(runs, keys, rounds * 40, SLOW)
        answer.rows[f"set {size} B"] = row
        most, redis = WANTED[size]
        answer.targets.append(Target(f"set {size} B, x dict", row["pihub"] / row["dict"], most))
        if "redis" in row:
            times = row["redis"] / row["pihub"]
            answer.targets.append(Target(f"set {size} B, quicker than Redis", times, redis, True))
    return answer


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_set(benchmark: Any, name: str, size: int) -> None:
    benchmark.group = f"set {size} B, all keys once"
    with ExitStack() as stack:
        try:
            _, put = ALL[name](os.urandom(size), SIZES[size], stack)
        except ImportError as error:
            pytest.skip(f"{name} is not installed: {error}")
        benchmark.pedantic(put, rounds=20, warmup_rounds=1)
