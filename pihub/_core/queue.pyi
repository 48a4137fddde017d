from typing import Self, final

from pihub._core.arena import Arena

TICKETS: int
WIDTH: int

@final
class Queue:
    """Rows of fair, bounded queues; a row without a width has no queue."""

    n_rows: int
    def __new__(cls, arena: Arena, region: str, rows: int) -> Self: ...
    @staticmethod
    def size_for(rows: int) -> int: ...
    def configure(self, row: int, width: int, capacity: int) -> None:
        """So many run, so many wait. Raises ValueError beyond WIDTH and TICKETS."""
    def enter(
        self, row: int, slot: int, key: int, model: int, cost_ms: int, swap_ms: int, now_ms: int
    ) -> int:
        """A ticket; -1 if the queue is full. Always `leave` with it."""
    def turn(self, row: int, ticket: int, now_ms: int) -> tuple[int, int]:
        """(0 if it runs now else its position from 1, predicted ms until it runs)"""
    def leave(self, row: int, ticket: int, now_ms: int) -> None: ...
    def load(self, row: int, now_ms: int) -> tuple[int, int, int]:
        """(waiting, running, predicted ms that a newcomer would wait)"""
    def last(self, row: int) -> tuple[int, int]:
        """(model that was served last, ms when that was)"""
    def recover(self, slot: int) -> None:
        """Free the tickets of a dead process."""
