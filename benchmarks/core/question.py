"""What a question's file gives: figures of contenders that took turns, and targets met or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Run = Callable[[], object]


@dataclass(frozen=True)
class Target:
    """One figure beside what was wished for."""

    what: str
    value: float
    wanted: float
    least: bool = False
    """Whether `wanted` is the least that is wished for, not the most."""
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value >= self.wanted if self.least else self.value <= self.wanted

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        verdict = "" if self.met else "   MISSED"
        return f"{self.what:52} {self.value:9.2f}{self.unit} ({sign} {self.wanted:g}){verdict}"


@dataclass
class Answer:
    """rows: {"get 64 B": {contender: figure}}."""

    question: str
    unit: str = "ns"
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Contenders that are not installed here."""
    instructions: dict[str, int] = field(default_factory=dict)


def least(
    runs: Mapping[str, Run],
    calls: int,
    turns: int,
    seldom: frozenset[str] = frozenset(),
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, float]:
    """Nanoseconds a call of each: its quickest of `turns` windows, all taking turns.

    A window is one run of `calls` calls. Those in `seldom` take a twentieth of the turns.
    `clock`: time.process_time_ns where windows are too long to find a quiet moment.
    """
    best: dict[str, float] = {}
    for turn in range(turns):
        for name, run in runs.items():
            if name in seldom and turn % 20:
                continue
            start = clock()
            run()
            took = (clock() - start) / calls
            best[name] = min(best.get(name, took), took)
    return best
