"""Weak or strong: how much a prompt gains by a strong model, from trained weights.

The file is one line of JSON (`experts`, `quantiles`, `sources`) and then the bytes that
`_core.difficulty.Experts` reads. RAM: the file once, about 100 KiB, shared by all processes that
are forked after it is loaded.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pihub._core.difficulty import BUCKETS, COUNTS, CUES, TEXT, Experts, terms

HEAD, TAIL = 1000, 600
"""Characters of a long text that are looked at: examples stand before the question."""
SHIPPED = Path(__file__).with_name("difficulty.bin")


@dataclass(frozen=True)
class Cause:
    """A word, a pair of words or a count, and what it adds to the score."""

    what: str
    adds: float


@dataclass(frozen=True)
class Explanation:
    """`rank` is the share of the training prompts that gain less, 0 to 1."""

    score: float
    rank: float
    experts: tuple[tuple[str, float], ...]
    causes: tuple[Cause, ...]


class Difficulty:
    """Scores prompts; built by `load`."""

    def __init__(self, head: dict[str, Sequence[str] | Sequence[float]], weights: bytes) -> None:
        self.experts = tuple(str(name) for name in head["experts"])
        self.sources = tuple(str(name) for name in head["sources"])
        self._quantiles = tuple(float(one) for one in head["quantiles"])
        self._model = Experts(weights, len(self.experts))

    def score(self, text: str) -> float:
        """The expected gain in quality by the strong model, mostly -1 to 1."""
        return self._model.score(encode(text))

    def rank(self, text: str) -> float:
        """The share of the training prompts that gain less than this one, 0 to 1."""
        return self._rank(self.score(text))

    def explain(self, text: str, most: int = 12) -> Explanation:
        """The score and the causes with the greatest effect, greatest first."""
        data = encode(text)
        score, shares, parts = self._model.explain(data)
        names: dict[int, str] = {}
        for row, start, end in terms(data):
            names.setdefault(row, " ".join(data[start:end].decode("utf-8", "replace").split()))
        for number, name in enumerate((*COUNTS, *(f"the word {cue}" for cue in CUES))):
            names[BUCKETS + number] = f"({name})"
        parts.sort(key=lambda part: -abs(part[2]))
        experts = sorted(zip(self.experts, shares, strict=True), key=lambda one: -one[1])
        return Explanation(
            score,
            self._rank(score),
            tuple(experts),
            tuple(Cause(names.get(row, "?"), adds) for row, _, adds in parts[:most]),
        )

    def _rank(self, score: float) -> float:
        return bisect_left(self._quantiles, score) / len(self._quantiles)


def encode(text: str) -> bytes:
    """As much of the text as is looked at, in UTF-8: of a long one the beginning and the end."""
    if len(text) > HEAD + TAIL:
        text = text[:HEAD] + "\n" + text[-TAIL:]
    return text.encode("utf-8", "replace")[:TEXT]


def load(path: Path = SHIPPED) -> Difficulty:
    """Raises OSError and ValueError (another version, a damaged file)."""
    line, _, weights = path.read_bytes().partition(b"\n")
    head = json.loads(line)
    if not isinstance(head, dict) or head.get("version") != 1:
        raise ValueError(f"{path.name} is not of a version that this hub reads")
    return Difficulty(head, weights)


def pack(head: dict[str, object], weights: bytes) -> bytes:
    """What `load` reads."""
    return json.dumps({"version": 1, **head}, separators=(",", ":")).encode() + b"\n" + weights
