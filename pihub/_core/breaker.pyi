from typing import Self, final

from pihub._core.arena import Arena

CLOSED: int
OPEN: int
HALF_OPEN: int

@final
class Breaker:
    """Rows of circuit breakers: sliding window of 16 slots, leased half-open probe."""

    n_rows: int
    def __new__(cls, arena: Arena, region: str, rows: int) -> Self: ...
    @staticmethod
    def size_for(rows: int) -> int: ...
    def configure(
        self, row: int, failures: int, window_ms: int, open_ms: int, probe_ms: int
    ) -> None:
        """`failures` 0: the row never opens (as before it is configured)."""
    def allow(self, row: int, now_ms: int) -> bool:
        """May a call be made? When half-open, true for exactly one caller a lease."""
    def record(self, row: int, ok: bool, now_ms: int) -> None:
        """The outcome of a call; while open it is ignored (a call from before)."""
    def probe(self, row: int) -> int:
        """Number of the probe that `allow` has just granted; 0: it is no probe."""
    def release(self, row: int, probe: int, now_ms: int) -> None:
        """That probe ended without a verdict (its client left): the next caller may probe."""
    def state(self, row: int, now_ms: int) -> int:
        """OPEN becomes HALF_OPEN by time alone: the next caller would probe."""
    def counts(self, row: int, now_ms: int) -> tuple[int, int]:
        """(ok, failed) in the window"""
    def retry_in_ms(self, row: int, now_ms: int) -> int: ...
    def force(self, row: int, state: int, now_ms: int) -> None: ...
    def hold(self, row: int, state: int, until_ms: int) -> None:
        """OPEN: nobody calls until then. CLOSED: failures do not open it until then."""
    def unhold(self, row: int, now_ms: int) -> None:
        """Ends a hold before its time; what it held open is closed again."""
    def held(self, row: int, now_ms: int) -> tuple[int, int] | None:
        """(state, milliseconds left); None: nobody holds it."""
