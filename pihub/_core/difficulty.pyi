from typing import Self, final

BUCKETS: int
ROWS: int
TEXT: int
"""Bytes of a text that are read."""
COUNTS: tuple[str, ...]
"""Names of the rows from BUCKETS on."""
CUES: tuple[str, ...]
"""Words whose presence is a row of its own, behind the counts."""
EXPERTS: int

def features(text: bytes) -> list[tuple[int, float]]:
    """(row, value) of the text, each row once."""

def terms(text: bytes) -> list[tuple[int, int, int]]:
    """(row, start, end) of its words and pairs of words, in bytes."""

@final
class Experts:
    """Linear experts weighted by a linear gate. Raises ValueError for weights of another size."""

    n: int
    def __new__(cls, weights: bytes, n: int) -> Self: ...
    @staticmethod
    def size_for(n: int) -> int: ...
    def score(self, text: bytes) -> float:
        """The expected gain in quality of the strong model, mostly -1 to 1."""
    def explain(self, text: bytes) -> tuple[float, list[float], list[tuple[int, float, float]]]:
        """(score, each expert's share, (row, value, what it adds) of each feature)"""
