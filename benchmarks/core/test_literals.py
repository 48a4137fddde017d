"""Are 58 literals found as fast as Hyperscan finds them? (pip install hyperscan)"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.core.question import Answer, Target, least
from pihub._core.matcher import Literals

COUNT = 58
WORDS = Path(__file__).parents[2] / "pihub" / "security" / "scanner" / "keywords.txt"
SIZES = {"1 KiB": 1 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20}
PROSE = (
    "A gateway sits between programs and the services they call. It checks who asks, counts what "
    "was used, keeps what may be asked again, and tells an operator what it saw; 12,345 requests "
    "came on Tuesday, most of them before noon. "
)
RECORD = '{"id": 4711, "name": "Ada", "tags": ["a", "b"], "note": "nothing to see", "at": 1.5}\n'


def literals() -> tuple[bytes, ...]:
    """The scanner's longest keywords, so that clean text holds none of them."""
    lines = [line for line in WORDS.read_text().splitlines() if line and not line.startswith("#")]
    found = sorted(lines, key=lambda line: (-len(line), line))
    text = (PROSE + RECORD).lower()
    return tuple(w.encode() for w in found if w.lower() not in text and len(w) > 2)[:COUNT]


def hyperscan(words: tuple[bytes, ...]) -> Callable[[bytes], object]:
    """Raises ImportError."""
    module: Any = importlib.import_module("hyperscan")
    flags = module.HS_FLAG_CASELESS | module.HS_FLAG_SINGLEMATCH
    base = module.Database(mode=module.HS_MODE_BLOCK)
    base.compile(
        expressions=[re.escape(word) for word in words], ids=list(range(len(words))),
        elements=len(words), flags=[flags] * len(words),
    )  # fmt: skip
    hits: list[int] = []

    def scan(data: bytes) -> object:
        base.scan(data, match_event_handler=lambda *_: hits.append(1))
        return hits

    return scan


def contenders(missing: list[str]) -> dict[str, Callable[[bytes], object]]:
    words = literals()
    assert len(words) == COUNT
    found: dict[str, Callable[[bytes], object]] = {"pihub": Literals(words).first}
    try:
        found["hyperscan"] = hyperscan(words)
    except ImportError as error:
        missing.append(f"hyperscan ({error.name})")
    pattern = re.compile(b"|".join(map(re.escape, words)), re.IGNORECASE)
    found["re"] = pattern.search
    return found


def text(size: int) -> bytes:
    return ((PROSE + RECORD) * (size // 200))[:size].encode()


def measure(rounds: int) -> Answer:
    answer = Answer(str(__doc__), unit="GB/s")
    found = contenders(answer.missing)
    for title, size in SIZES.items():
        data = text(size)
        assert not found["pihub"](data)
        runs = {name: lambda run=run, data=data: run(data) for name, run in found.items()}
        row = least(runs, 1, rounds * 100, frozenset({"re"}))
        answer.rows[f"58 literals, {title}"] = {n: size / ns for n, ns in row.items()}
    row = answer.rows["58 literals, 1 MiB"]
    if "hyperscan" in row:
        answer.targets.append(
            Target("58 literals, 1 MiB, x Hyperscan", row["pihub"] / row["hyperscan"], 1.0, True)
        )
    return answer


@pytest.mark.parametrize("name", ["pihub", "hyperscan", "re"])
def test_literals(benchmark: Any, name: str) -> None:
    missing: list[str] = []
    found = contenders(missing)
    if name not in found:
        pytest.skip(f"not installed: {missing}")
    benchmark.group = "58 literals in 64 KiB"
    benchmark(found[name], text(64 << 10))
