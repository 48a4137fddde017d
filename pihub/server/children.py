"""The arbiter's table of processes: who holds which slot of the arena.

Pure bookkeeping. Slot 0 is the control process; the workers share the slots from 1 on,
old and new ones side by side while a reload drains the old.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CONTROL_SLOT = 0


class Heartbeat(Protocol):
    """gunicorn's WorkerTmp: a file whose mtime is the last sign of life."""

    def last_update(self) -> float: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Child:
    """One process. Times are CLOCK_MONOTONIC seconds."""

    pid: int
    slot: int
    generation: int
    """Counts reloads; a child of an earlier generation is to be replaced."""
    boot_id: int
    """Of the arena that it mapped."""
    born: float
    ready: bool = False
    kill_at: float | None = None
    """It was asked to stop; at this time it is killed."""
    heartbeat: Heartbeat | None = None

    @property
    def stopping(self) -> bool:
        return self.kill_at is not None

    @property
    def is_control(self) -> bool:
        return self.slot == CONTROL_SLOT


class Children:
    """All living children of the arbiter by pid."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Child] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_pid.values()))

    def __len__(self) -> int:
        return len(self._by_pid)

    def add(self, child: Child) -> None:
        self._by_pid[child.pid] = child

    def get(self, pid: int) -> Child | None:
        return self._by_pid.get(pid)

    def remove(self, pid: int) -> Child | None:
        return self._by_pid.pop(pid, None)

    def control(self) -> Child | None:
        for child in self._by_pid.values():
            if child.is_control:
                return child
        return None

    def workers(self, generation: int) -> list[Child]:
        """Workers of `generation` that are to stay, oldest first."""
        return [
            child
            for child in self._by_pid.values()
            if not child.is_control and child.generation == generation and not child.stopping
        ]

    def old_workers(self, generation: int) -> list[Child]:
        """Workers of earlier generations, stopping or not."""
        return [
            child
            for child in self._by_pid.values()
            if not child.is_control and child.generation != generation
        ]

    def free_slot(self, n_slots: int, boot_id: int) -> int | None:
        """The lowest free worker slot of the arena `boot_id`, None if all are taken.

        Children that map another arena take no slot of this one.
        """
        taken = {child.slot for child in self._by_pid.values() if child.boot_id == boot_id}
        for slot in range(CONTROL_SLOT + 1, n_slots):
            if slot not in taken:
                return slot
        return None
