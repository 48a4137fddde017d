"""What routing knows across the processes: learnt speeds, queues, local models, counters."""

from __future__ import annotations

import json
from enum import IntEnum
from time import monotonic
from typing import NamedTuple

from pihub._core.hashing import xxh3_64
from pihub.domain.predict import Figures
from pihub.domain.target import Target
from pihub.shared.state import SharedState

__all__ = ["Cell", "Event", "LocalModel", "LocalState", "Speeds", "now_ms"]


class Cell(IntEnum):
    """Cells of a model's row. The order of the first six is that of `Figures`."""

    PREFILL = 0
    DECODE = 1
    LOAD = 2
    OUTPUT = 3
    CHARS = 4
    FIRST = 5
    ERROR = 6
    """Of predictions: |predicted - real| / real."""
    WANTED = 7
    """Requests that found the model not loaded; the control process loads it."""
    USED = 8


class Event(IntEnum):
    """Columns of the `routing` counters."""

    LOCAL = 0
    CLOUD = 1
    DEADLINE_UP = 2
    QUEUED = 3
    QUEUE_FULL = 4
    QUEUE_LATE = 5
    SWAP_REFUSED = 6
    CONTEXT_GROWN = 7
    CONTEXT_UP = 8
    CONTEXT_REFUSED = 9
    DRAFT_KEPT = 10
    DRAFT_SCHEMA = 11
    DRAFT_TOOLS = 12
    DRAFT_REFUSAL = 13
    DRAFT_EMPTY = 14
    DRAFT_CUT = 15
    DRAFT_AGREEMENT = 16
    RETRIED = 19
    RETRY_DENIED = 20
    LOAD_ASKED = 21


def now_ms() -> int:
    return int(monotonic() * 1000)


class Speeds:
    """The learnt figures of targets. RAM: one number a target and process."""

    def __init__(self, state: SharedState) -> None:
        self._table = state.speeds
        self._rows: dict[str, int] = {}

    def row(self, target: Target) -> int:
        """-1 if the table is full."""
        row = self._rows.get(target.name)
        if row is None:
            row = self._rows[target.name] = self._table.row(xxh3_64(target.name.encode()) or 1)
        return row

    def figures(self, target: Target) -> Figures:
        row = self.row(target)
        if row < 0:
            return Figures()
        read = self._table.read
        return Figures(*[read(row, cell)[0] for cell in range(len(Figures._fields))])

    def learn(self, target: Target, cell: Cell, value: float) -> None:
        row = self.row(target)
        if row >= 0:
            self._table.learn(row, cell, value)

    def read(self, target: Target, cell: Cell) -> tuple[float, int]:
        """(mean, samples)"""
        row = self.row(target)
        return (0.0, 0) if row < 0 else self._table.read(row, cell)

    def put(self, target: Target, cell: Cell, mean: float, count: int) -> None:
        row = self.row(target)
        if row >= 0:
            self._table.put(row, cell, mean, count)


class LocalModel(NamedTuple):
    """What the control process last saw of one local model."""

    loaded: bool = False
    context: int = 0
    """Tokens it is loaded with; 0: unknown."""
    most: int = 0
    """Tokens it was made for."""
    cache_bytes: int = 0
    """Of its key-value cache, a token."""
    size: int = 0
    """Bytes when loaded, as last seen."""


class LocalState:
    """The board of local models: written by the control process, read by workers."""

    def __init__(self, state: SharedState) -> None:
        self._board = state.local
        self._generation = 0
        self._models: dict[str, LocalModel] = {}
        self._free: dict[str, int] = {}

    def publish(self, models: dict[str, LocalModel], free: dict[str, int]) -> None:
        """`free`: bytes of memory that each upstream may still take."""
        rows = {name: list(one) for name, one in models.items()}
        self._board.publish(json.dumps({"models": rows, "free": free}).encode())

    def model(self, target: Target) -> LocalModel | None:
        """None: never seen."""
        self._look()
        return self._models.get(target.name)

    def free(self, upstream: str) -> int:
        """Bytes, 0 if unknown."""
        self._look()
        return self._free.get(upstream, 0)

    def loaded(self, upstream: str) -> list[str]:
        """Names of the loaded targets."""
        self._look()
        prefix = upstream + "/"
        return [n for n, one in self._models.items() if one.loaded and n.startswith(prefix)]

    def _look(self) -> None:
        if self._board.generation() == self._generation:
            return
        self._generation, data = self._board.read()
        found = json.loads(data) if data else {"models": {}, "free": {}}
        self._models = {name: LocalModel(*row) for name, row in found["models"].items()}
        self._free = found["free"]
