"""Whether the world outside is reached: decided by the control process, read by all.

The board holds one `WanState`; it outlives the control process, so that a hub whose control
process is killed while the line is down does not go on waiting for connections.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Mode = Literal["auto", "on", "off"]
"""Of the offline mode, by hand: on, off, or by what is reached."""
BOARD_BYTES = 1024


class WanState(msgspec.Struct, frozen=True):
    """Times in Unix seconds."""

    offline: bool = False
    since: float = 0.0
    """Of the last change; 0: there was none."""
    mode: Mode = "auto"
    until: float = 0.0
    """When `mode` becomes "auto" again by itself; 0: never."""


class Published(Protocol):
    """A shared board (`_core.board.Board`)."""

    def publish(self, data: bytes) -> int: ...
    def generation(self) -> int: ...
    def read(self) -> tuple[int, bytes]: ...


def publish(board: Published, state: WanState) -> None:
    board.publish(msgspec.msgpack.encode(state))


class Wan:
    """One process's view; decoded again only when it changed. Never blocks."""

    def __init__(self, board: Published) -> None:
        self._board = board
        self._generation = 0
        self._state = WanState()

    def state(self) -> WanState:
        if self._board.generation() != self._generation:
            self._generation, data = self._board.read()
            self._state = msgspec.msgpack.decode(data, type=WanState)
        return self._state

    def offline(self) -> bool:
        return self.state().offline
