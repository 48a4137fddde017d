"""An honest figure of what was chosen: each outer fold chooses anew, from its own part only.

The penalty of the heads is what cross-validation chose for the shipped weights. Scoring that
choice on the folds that made it flatters it; here the outer fold is scored with the penalty
that inner folds of the others prefer. Features and the number of heads are not chosen anew:
of their choice this says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.routing.data import Row
from benchmarks.routing.metrics import scores
from benchmarks.routing.train import ALPHA, Trainer
from pihub.shared.difficulty import Difficulty

ALPHAS = (1.0, ALPHA, 10.0)
INNER = 3


def nested(rows: Sequence[Row], folds: int, prefix: int = 0) -> tuple[list[float], list[float]]:
    """(score of each row by a model that has not seen its fold, the penalty of each fold).

    `prefix`: folds by so many first characters, so that look-alikes stand in one; 0: by the
    whole prompt.
    """
    trainer = Trainer(rows)
    place = [row.fold(folds, prefix) for row in rows]
    found, chosen = [0.0] * len(rows), []
    for fold in range(folds):
        part = [i for i, f in enumerate(place) if f != fold]
        alpha = max(ALPHAS, key=lambda one: _inner(trainer, part, one, prefix))
        chosen.append(alpha)
        model = Difficulty(*trainer.experts(part, alpha))  # type: ignore[arg-type]
        for i, f in enumerate(place):
            if f == fold:
                found[i] = model.score(rows[i].text)
    return found, chosen


def _inner(trainer: Trainer, part: list[int], alpha: float, prefix: int) -> float:
    """The mean APGR of the sources, cross-validated within `part`."""
    rows = trainer.rows
    # Other folds than the outer ones: their remainders by INNER would be lopsided.
    place = {i: rows[i].fold(INNER * 31, prefix) % INNER for i in part}
    found: dict[int, float] = {}
    for fold in range(INNER):
        fit = [i for i in part if place[i] != fold]
        model = Difficulty(*trainer.experts(fit, alpha))  # type: ignore[arg-type]
        found |= {i: model.score(rows[i].text) for i in part if place[i] == fold}
    total, sources = 0.0, sorted({rows[i].source for i in part})
    for source in sources:
        own = [i for i in part if rows[i].source == source]
        total += scores([found[i] for i in own], [rows[i].gain for i in own]).apgr
    return total / len(sources)
