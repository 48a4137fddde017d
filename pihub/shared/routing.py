"""What routing knows across the processes: learnt speeds, queues, local models, counters."""

from __future__ import annotations

import json
from enum import IntEnum, unique
from time import monotonic
from typing import Any, NamedTuple

from pihub._core.hashing import xxh3_64
from pihub.domain.predict import Figures, load_ms
from pihub.domain.target import Target
from pihub.shared.state import SharedState

__all__ = ["Cell", "Event", "LocalModel", "LocalState", "Speeds", "load_left", "now_ms"]


@unique
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
    REUSE = 9
    """Of prompts: the share that was read before, by the time that reading took."""
    CACHE_READ = 10
    """Share of a prompt's tokens that came from the vendor's prompt cache."""
    CACHE_WRITTEN = 11
    FIRST_P95 = 12
    """No mean, but the 95th percentile (domain/quantile.py): seconds to a stream's first
    content, where calls may be hedged."""
    WHOLE_P95 = 13
    """The same of answers that are not streamed."""


@unique
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
    DRAFT_LOGPROB = 17
    RETRIED = 19
    RETRY_DENIED = 20
    LOAD_ASKED = 21
    PROMPT_MARKED = 22
    """Prompts that the hub marked for Anthropic's prompt cache."""
    HEDGED = 23
    HEDGE_WON = 24
    HEDGE_DENIED = 25
    """The hedges' share of the calls was used up."""
    HEDGE_REFUSED = 26
    """Budgets, deadline or local upstreams left no target to ask."""
    OFFLINE_STALE = 27
    """While the hub was offline: answered by what was kept beyond its time,"""
    OFFLINE_LOCAL = 28
    """by a local target of the chain that was not its first,"""
    OFFLINE_INSTEAD = 29
    """by another model (`offline_model`),"""
    OFFLINE_QUEUED = 30
    """made a job,"""
    OFFLINE_REFUSED = 31
    """refused at once."""
    SEMANTIC_HIT = 32
    """An answer to the same question in other words was served."""
    SEMANTIC_MISS = 33
    SEMANTIC_LATE = 34
    """The embedding was late or failed."""
    SEMANTIC_AGREED = 35
    """What would have been served said the same as the model did; or not:"""
    SEMANTIC_DIFFERED = 36


STALE = 30_000
"""Milliseconds after which what was seen of the local models counts no more."""


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
    """Bytes when loaded, as last seen; else of its weights."""
    began: int = 0
    """When the hub began to load it, in milliseconds of CLOCK_MONOTONIC; 0: it does not."""
    failed: int = 0
    """When its last load failed; 0: it did not."""


class LocalState:
    """The board of local models: written by the control process, read by workers."""

    def __init__(self, state: SharedState) -> None:
        self._board = state.local
        self._generation = 0
        self._models: dict[str, LocalModel] = {}
        self._free: dict[str, int] = {}
        self._cards: dict[str, dict[str, Any]] = {}
        self._until = 0

    def publish(
        self,
        models: dict[str, LocalModel],
        free: dict[str, int],
        cards: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """`free`: bytes of memory that each upstream may still take; `cards`: what Ollama's
        list says of installed models."""
        rows = {name: list(one) for name, one in models.items()}
        told = {"models": rows, "free": free, "cards": cards or {}, "until": now_ms() + STALE}
        self._board.publish(json.dumps(told).encode())

    def model(self, target: Target) -> LocalModel | None:
        """None: never seen, or not for a while (the control process does not look)."""
        self._look()
        return self._models.get(target.name) if now_ms() < self._until else None

    def card(self, target: Target) -> dict[str, Any]:
        """Size, digest, date and details as /api/tags has them; empty if unknown."""
        self._look()
        return self._cards.get(target.name, {})

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
        if not data:
            return
        found = json.loads(data)
        self._models = {name: LocalModel(*row) for name, row in found["models"].items()}
        self._free, self._cards = found["free"], found["cards"]
        self._until = found["until"]


def load_left(seen: LocalModel | None, figures: Figures) -> float:
    """Predicted milliseconds until the model is loaded; 0 if it is, or nothing is known."""
    if seen is None:
        return 0.0
    whole = load_ms(figures, loaded=seen.loaded)
    return max(0.0, whole - (now_ms() - seen.began)) if seen.began else whole
