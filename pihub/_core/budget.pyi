from typing import Self, final

from pihub._core.arena import Arena

MAX: int
"""Largest amount: 2**48 - 1."""

@final
class Budget:
    """Rows of money, per day and month. Amounts are integers of one unit, whichever."""

    rows: int
    def __new__(cls, arena: Arena, region: str, rows: int, slots: int) -> Self: ...
    @staticmethod
    def size_for(rows: int, slots: int) -> int: ...
    def find(self, ident: int, claim: bool = False) -> int:
        """Row of a 64-bit id (a hash, not 0), -1 if there is none, or no room for it."""
    def limit(
        self, row: int, day: int = 0, month: int = 0, soft_day: int = 0, soft_month: int = 0
    ) -> None:
        """Set all four; 0: none."""
    def begin(self, slot: int, incarnation: int) -> None:
        """Once in each process that reserves, before it does."""
    def reserve(
        self,
        slot: int,
        rows: tuple[int, ...],
        amount: int,
        day: int,
        month: int,
        force: bool = False,
    ) -> int:
        """All rows (at most 8) or none. 0: reserved. 1 + 2 i + w: row i's hard limit of
        window w (0 day, 1 month) refuses. -(1 + 2 i + w): reserved, above that soft limit."""
    def settle(
        self,
        slot: int,
        rows: tuple[int, ...],
        reserved: int,
        actual: int,
        day: int,
        month: int,
    ) -> None:
        """The reservation ends, `actual` counts as spent. `reserved` 0: a later (signed)
        correction."""
    def spend(self, row: int, day: int, amount_day: int, month: int, amount_month: int) -> None:
        """Signed additions to the two windows, apart: restoring and reconciling."""
    def state(self, row: int, day: int, month: int) -> tuple[int, int, int, int, int, int, int]:
        """(spent in the day, in the month, reserved now, limit day, month, soft day, month)"""
    def held(self, slot: int, row: int) -> int:
        """What one process has reserved."""
    def recover(self, slot: int, incarnation: int) -> int:
        """Drop a dead process's reservations; the number of rows that had one."""
    def used(self) -> int:
        """Rows taken."""
