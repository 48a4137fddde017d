from typing import final

@final
class Ridge:
    """Ridge regression on difficulty features; for training, never in a worker."""

    def add(self, text: bytes) -> int:
        """The features of one more text; returns its number, from 0."""
    def __len__(self) -> int: ...
    def fit(
        self, rows: list[int], targets: list[float], alpha: float, rounds: int = 60
    ) -> tuple[list[float], float]:
        """(one weight a feature row, intercept) that minimise
        sum (target - prediction)^2 + alpha |weights|^2 over the texts numbered `rows`.

        Raises ValueError if the lists differ in length or are empty, IndexError for an
        unknown number.
        """
    def predict(self, row: int, weights: list[float], intercept: float) -> float: ...
