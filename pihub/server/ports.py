"""What the server asks of the hub: the seam between processes and composition.

The server knows signals, processes, slots and sockets; the hub (the composition root)
knows what runs in them. Each method says in which process it is called.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pihub.domain.ports import Waiter
from pihub.settings.schema import Settings

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ArenaPort(Protocol):
    """The part of `pihub._core.arena.Arena` that the server uses."""

    fd: int
    creator_pid: int
    boot_id: int
    n_slots: int

    def claim_slot(self, slot: int, pid: int) -> int: ...
    def release_slot(self, slot: int, pid: int) -> bool: ...
    def slot_info(self, slot: int) -> tuple[int, int, int]: ...


class StatePort(Protocol):
    """The part of `pihub.shared.state.SharedState` that the server uses."""

    @property
    def arena(self) -> ArenaPort: ...
    @property
    def eventfds(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Inherited:
    """Shared objects that an arbiter hands to its own re-executed self (SIGHUP).

    A factory that can use the arena (same layout and sizes) must attach to
    `arena_fd` and keep `eventfds`; one that cannot makes new ones.
    """

    arena_fd: int
    eventfds: tuple[int, ...]


class Hub(Protocol):
    """The composition root as the server sees it; built once, before the first fork."""

    @property
    def settings(self) -> Settings: ...

    @property
    def state(self) -> StatePort: ...

    def prepare_process(self) -> None:
        """In each worker, first thing after fork (installs the stack-chunk pool)."""

    def worker_app(self, slot: int, waiter: Waiter) -> WSGIApplication:
        """In the worker: its slot is claimed, its loop does not run yet."""

    def background(self) -> Sequence[Callable[[], None]]:
        """In the worker, after `worker_app`: endless loops (such as the dispatcher of
        followers) that wait through the Waiter only. Each gets a greenlet or a daemon
        thread of its own; they end with the process, without notice."""

    def on_tick(self, *, leaving: bool) -> None:
        """In the worker, about once a second; must be cheap and must not wait.

        `leaving`: the worker drains, so answers without an end must find one.
        """

    def control_run(self, slot: int, listener: socket.socket, stop: threading.Event) -> None:
        """In the control process: blocks until `stop` is set, then returns within 10 s.

        `listener` is bound and listening; it stays open in the arbiter, so requests
        that come while control restarts wait in its backlog.
        """

    def control_ready(self) -> bool:
        """In the arbiter: has a control process published what workers need?

        The hub counts as ready after that (or after 10 s); and after a reload that made
        a new arena workers start only then, so that none refuses requests for want of
        keys. Must be cheap.
        """

    def scaled(self, numbers: Mapping[str, int]) -> None:
        """In the arbiter, each second: how many workers it keeps, between which bounds,
        and why, by the lower-case names of `pihub.shared.machine.Gauge`. Cheap."""

    def process_died(self, slot: int, incarnation: int) -> None:
        """In the arbiter, once for each process that ended, before its slot is reused:
        free its locks, leases and gauges."""


HubFactory = Callable[[Settings, Inherited | None], Hub]
"""Builds the hub in the arbiter. Raises StartupError."""

SettingsLoader = Callable[[], Settings]
"""Reads the effective settings. Raises ConfigError."""
