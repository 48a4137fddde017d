"""What an arbiter leaves to itself when it re-executes (SIGHUP): JSON in one variable.

execv keeps the pid, so the children stay children; descriptors survive when they are
inheritable. Everything else is rebuilt from the new code and configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from dataclasses import dataclass

from pihub.errors import StartupError
from pihub.server.children import Child
from pihub.server.ports import Inherited

VARIABLE = "PIHUB_HANDOVER"
VERSION = 1
"""Raised when the fields change: a different one means an upgrade across the change."""


@dataclass(frozen=True, slots=True)
class Handover:
    """Descriptors by number and the children that live on."""

    pid: int
    """The arbiter's: a copy of the variable in any other process is void."""
    generation: int
    listeners: tuple[tuple[str, int], ...]
    """(address as configured, descriptor)"""
    control_listener: tuple[str, int]
    arena_fd: int
    boot_id: int
    """Of the arena: the hub that comes out of it either has the same or a new one."""
    eventfds: tuple[int, ...]
    children: tuple[Child, ...]

    def fds(self) -> tuple[int, ...]:
        return (
            *(fd for _, fd in self.listeners),
            self.control_listener[1],
            self.arena_fd,
            *self.eventfds,
        )

    def inherited(self) -> Inherited:
        return Inherited(arena_fd=self.arena_fd, eventfds=self.eventfds)

    def encode(self) -> str:
        children = [
            [c.pid, c.slot, c.generation, c.boot_id, c.born, c.ready, c.kill_at]
            for c in self.children
        ]
        fields = {
            "version": VERSION,
            "pid": self.pid,
            "generation": self.generation,
            "listeners": self.listeners,
            "control_listener": self.control_listener,
            "arena_fd": self.arena_fd,
            "boot_id": self.boot_id,
            "eventfds": self.eventfds,
            "children": children,
        }
        return json.dumps(fields)


def decode(text: str) -> Handover:
    """Raises StartupError when the text is not a handover of this version."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}")
        return Handover(
            pid=int(data["pid"]),
            generation=int(data["generation"]),
            listeners=tuple((str(address), int(fd)) for address, fd in data["listeners"]),
            control_listener=(str(data["control_listener"][0]), int(data["control_listener"][1])),
            arena_fd=int(data["arena_fd"]),
            boot_id=int(data["boot_id"]),
            eventfds=tuple(int(fd) for fd in data["eventfds"]),
            children=tuple(
                Child(
                    pid=int(pid),
                    slot=int(slot),
                    generation=int(generation),
                    boot_id=int(boot_id),
                    born=float(born),
                    ready=bool(ready),
                    kill_at=None if kill_at is None else float(kill_at),
                )
                for pid, slot, generation, boot_id, born, ready, kill_at in data["children"]
            ),
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StartupError(
            "A reload handed over its state in a form that this version does not know; "
            "restart the hub instead of reloading it.",
            detail=str(error),
        ) from error


def take(environ: MutableMapping[str, str], pid: int) -> Handover | None:
    """Remove the variable; the handover if it is meant for `pid`.

    The descriptors become close-on-exec again, so that no other program gets them.
    """
    text = environ.pop(VARIABLE, None)
    if text is None:
        return None
    handover = decode(text)
    if handover.pid != pid:
        return None
    for fd in handover.fds():
        os.set_inheritable(fd, False)
    return handover
