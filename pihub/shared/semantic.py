"""What the semantic cache has been seen to do, a model: for whoever must decide about it.

RAM: a row of the learnt speeds (128 B) a model that has it on or in the shadow.
"""

from __future__ import annotations

from typing import NamedTuple

from pihub._core.hashing import xxh3_64
from pihub.shared.state import SharedState

LATE, FOUND, COMPARED = 0, 1, 2
"""Cells: shares as means, their denominators as counts."""
MOST = 100_000
"""Samples from which on the oldest fade."""


class Seen(NamedTuple):
    """`looked`: questions that were embedded in time or not; `late` and `found`: shares of
    them. `compared`: answers that would have been served, beside the model's own; `differed`:
    the share that said something else, None before the first."""

    looked: int = 0
    late: float = 0.0
    found: float = 0.0
    compared: int = 0
    differed: float | None = None


class SemanticBook:
    """All workers feed one row a model. Two at once may lose a sample, never tear one."""

    def __init__(self, state: SharedState) -> None:
        self._table = state.speeds
        self._rows: dict[str, int] = {}

    def looked(self, model: str, *, late: bool, found: bool = False) -> None:
        self._add(model, LATE, late)
        self._add(model, FOUND, found)

    def compared(self, model: str, *, differed: bool) -> None:
        self._add(model, COMPARED, differed)

    def seen(self, model: str) -> Seen:
        row = self._row(model)
        if row < 0:
            return Seen()
        late, looked = self._table.read(row, LATE)
        found, _ = self._table.read(row, FOUND)
        differed, compared = self._table.read(row, COMPARED)
        return Seen(looked, late, found, compared, differed if compared else None)

    def _add(self, model: str, cell: int, value: bool) -> None:
        row = self._row(model)
        if row >= 0:
            mean, count = self._table.read(row, cell)
            count = min(count + 1, MOST)
            self._table.put(row, cell, mean + (value - mean) / count, count)

    def _row(self, model: str) -> int:
        row = self._rows.get(model)
        if row is None:
            key = xxh3_64(b"semantic\0" + model.encode()) or 1
            row = self._rows[model] = self._table.row(key)
        return row
