"""Training: for each source a linear head on the gain, and a gate that tells the sources
apart; the score is the gate-weighted mean of the heads."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from benchmarks.routing.data import Row
from pihub._core.difficulty import ROWS
from pihub._core.ridge import Ridge
from pihub.shared.difficulty import Difficulty, encode, pack

ALPHA = 3.0
"""Penalty of the heads, chosen by cross-validation on the development half."""
GATE_ALPHA = 1.0
SHARPNESS = 4.0
GATE_ROUNDS = 25


class Trainer:
    """Holds the features of all rows; fits on any part of them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._ridge = Ridge()
        for row in rows:
            self._ridge.add(encode(row.text))

    def head(self, part: list[int], alpha: float = ALPHA) -> tuple[list[float], float]:
        """One ridge regression on the gain."""
        return self._ridge.fit(part, [self.rows[i].gain for i in part], alpha)

    def predict(self, fit: tuple[list[float], float], part: Sequence[int]) -> list[float]:
        return [self._ridge.predict(i, *fit) for i in part]

    def experts(self, part: list[int], alpha: float = ALPHA) -> tuple[dict[str, object], bytes]:
        """(head of the file, weights) trained on these rows."""
        names = sorted({self.rows[i].source for i in part})
        fits = []
        for name in names:
            wanted = [float(self.rows[i].source == name) for i in part]
            fits.append(self._ridge.fit(part, wanted, GATE_ALPHA, GATE_ROUNDS))
        for name in names:
            fits.append(self.head([i for i in part if self.rows[i].source == name], alpha))
        scales = [max(max(map(abs, weights)), 1e-9) / 127 for weights, _ in fits]
        body = bytearray(struct.pack("<f", SHARPNESS))
        body += struct.pack(f"<{len(fits)}f", *scales)
        body += struct.pack(f"<{len(fits)}f", *[base for _, base in fits])
        columns = [
            [round(one / scale) for one in weights]
            for (weights, _), scale in zip(fits, scales, strict=True)
        ]
        for row in range(ROWS):
            body += struct.pack(f"<{len(fits)}b", *[column[row] for column in columns])
        head = {"experts": names, "sources": names, "quantiles": [0.0]}
        return head, bytes(body)


def finished(trainer: Trainer, part: list[int]) -> bytes:
    """The file's bytes, with the quantiles of its scores on equally weighted sources."""
    head, weights = trainer.experts(part)
    model = Difficulty(head, weights)  # type: ignore[arg-type]
    by_source: dict[str, list[float]] = {}
    for i in part:
        row = trainer.rows[i]
        by_source.setdefault(row.source, []).append(model.score(row.text))
    pairs = [(s, 1 / len(group)) for group in by_source.values() for s in group]
    pairs.sort()
    quantiles, seen = [], 0.0
    for score, weight in pairs:
        seen += weight / len(by_source)
        while len(quantiles) < 100 and seen >= (len(quantiles) + 0.5) / 100:
            quantiles.append(round(score, 5))
    head["quantiles"] = quantiles
    return pack(head, weights)
