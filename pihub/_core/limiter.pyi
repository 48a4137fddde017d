from typing import Self, final

from pihub._core.arena import Arena

@final
class Limiter:
    """GCRA rows (ITU-T I.371): one 64-bit theoretical arrival time (ns) each."""

    n_rows: int
    def __new__(cls, arena: Arena, region: str, rows: int) -> Self: ...
    @staticmethod
    def size_for(rows: int) -> int: ...
    def configure(self, row: int, interval_ns: int, burst: int) -> None:
        """One request every `interval_ns`, `burst` at once; interval 0 = unlimited.

        Raises ValueError above 2**61 ns of burst (73 years).
        """
    def hit(self, row: int, now_ns: int, cost: int = 1) -> int:
        """0 if admitted, else ns until it would be; 2**63 - 1 if `cost` is above the burst."""
    def correct(self, row: int, delta: int) -> None:
        """Signed correction of an earlier cost."""
    def remaining(self, row: int, now_ns: int) -> int:
        """Requests that would be admitted now; -1: unlimited."""
