from typing import Self, final

from pihub._core.arena import Arena

@final
class Histogram:
    """Log-linear, 32 sub-buckets an octave: mid-point error at most 1.6 %.

    rows x series histograms; a row belongs to one worker, readers sum the rows.
    """

    def __new__(cls, arena: Arena, region: str, rows: int, series: int) -> Self: ...
    @staticmethod
    def size_for(rows: int, series: int) -> int: ...
    def record(self, row: int, series: int, value: int) -> None:
        """`value` in microseconds (u64)."""
    def count(self, series: int) -> int: ...
    def sum(self, series: int) -> int: ...
    def quantiles(self, series: int, qs: tuple[float, ...]) -> tuple[float, ...]: ...
    def cumulative(self, series: int, bounds: tuple[int, ...]) -> tuple[int, ...]:
        """Counts of values <= each bound, for Prometheus buckets (up to 3.1 % below it)."""
    def buckets(self, series: int) -> list[tuple[int, int, int]]:
        """(lowest value, highest value, count) of the non-empty ones."""
