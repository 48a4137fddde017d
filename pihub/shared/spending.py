"""The plan of all budgets: published by the control process, read by each worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from pihub.domain.budget import Plan


class Published(Protocol):
    """A shared board (`_core.board.Board`)."""

    def publish(self, data: bytes) -> int: ...
    def generation(self) -> int: ...
    def read(self) -> tuple[int, bytes]: ...


def publish(board: Published, plan: Plan) -> None:
    """Raises ValueError if there are too many budgets for the board (about 1,500)."""
    board.publish(msgspec.msgpack.encode(plan))


class PlanReader:
    """The plan in force; decoded again only when it changed."""

    def __init__(self, board: Published) -> None:
        self._board = board
        self._decode: Callable[[bytes], Plan] = msgspec.msgpack.Decoder(Plan).decode
        self._generation = 0
        self._plan = Plan()

    def __call__(self) -> Plan:
        if self._board.generation() != self._generation:
            generation, data = self._board.read()
            if data:
                self._plan = self._decode(data)
            self._generation = generation
        return self._plan
