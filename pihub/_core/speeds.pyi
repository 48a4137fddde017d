from typing import Self, final

from pihub._core.arena import Arena

CELLS: int

@final
class Speeds:
    """Rows of moving averages, fed by all workers."""

    n_rows: int
    def __new__(cls, arena: Arena, region: str, rows: int) -> Self: ...
    @staticmethod
    def size_for(rows: int) -> int: ...
    def row(self, key: int) -> int:
        """The row of a 64-bit key (not 0), claimed if it is new; -1 if the table is full."""
    def learn(self, row: int, cell: int, value: float) -> None:
        """One sample; what is not finite is ignored."""
    def put(self, row: int, cell: int, mean: float, count: int) -> None: ...
    def read(self, row: int, cell: int) -> tuple[float, int]:
        """(mean, samples); (0.0, 0) before the first."""
