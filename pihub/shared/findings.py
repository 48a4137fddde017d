"""What workers found on its way to the control process, and what an admin has allowed.

RAM: 128 findings of 128 bytes a worker slot (16 KiB), and two copies of 64 KiB of allowances.
"""

from __future__ import annotations

import msgspec

from pihub._core.board import Board
from pihub._core.ring import Ring
from pihub.domain.finding import Finding

FINDINGS = 128
"""That a worker can be ahead of the control process; older ones are then lost, and counted."""
ALLOWED_BYTES = 64 * 1024

__all__ = ["ALLOWED_BYTES", "FINDINGS", "Allowance", "Allowed", "Board", "FindingLog", "publish"]

Allowance = tuple[str, str, str, str]
"""(path, place, field, rule)"""


class FindingLog:
    """Every worker's ring of findings."""

    def __init__(self, ring: Ring, rings: int) -> None:
        self._ring = ring
        self.rings = rings

    def push(self, slot: int, finding: Finding) -> None:
        self._ring.push(slot, finding.pack())

    def read(self, slot: int, cursor: int) -> tuple[int, int, list[Finding]]:
        """(new cursor, lost, findings) of one worker's ring."""
        cursor, lost, raw = self._ring.read(slot, cursor, FINDINGS)
        return cursor, lost, [Finding.unpack(item) for item in raw]


class Allowed:
    """What is let pass, as a worker sees it; read again only after it changed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._generation = 0
        self._rows: frozenset[Allowance] = frozenset()

    def __contains__(self, row: Allowance) -> bool:
        generation = self._board.generation()
        if generation != self._generation:
            self._generation, raw = self._board.read()
            self._rows = frozenset(msgspec.json.decode(raw or b"[]", type=list[Allowance]))
        return row in self._rows


def publish(board: Board, rows: list[Allowance]) -> None:
    """Raises ValueError if they are too many for the board."""
    board.publish(msgspec.json.encode(rows))
