"""The composition root: what runs in which process, as a bill of materials.

`Hub` is built once in the arbiter, before the first fork; `worker_app` and
`control_run` are called in the processes that they name.
"""

from __future__ import annotations

import json
import logging
import mimetypes
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pihub.compose.routing import difficulty_for
from pihub.domain.ports import Waiter
from pihub.domain.pricing import PriceTable
from pihub.errors import ArenaError, ConfigError
from pihub.gateway.route import ModelTable, chain_targets
from pihub.security.scanner.keywords import load as load_keywords
from pihub.server.ports import Inherited
from pihub.settings.loaded import Loaded
from pihub.settings.paths import run_dir
from pihub.settings.prices import settings_prices
from pihub.settings.schema import Api, Settings, Upstream
from pihub.settings.sizes import parse_size
from pihub.settings.workers import worker_count
from pihub.shared.health import HealthBoard, clear_row, configure_breaker, upstream_rows
from pihub.shared.machine import ARBITER, Gauge
from pihub.shared.metrics import MAX_UPSTREAMS
from pihub.shared.stackpool import install as install_stackpool
from pihub.shared.state import Plan, SharedState

log = logging.getLogger("pihub.app")


class Hub:
    """Everything that is shared by all processes, and the way to build each of them."""

    def __init__(self, loaded: Loaded, inherited: Inherited | None = None) -> None:
        self.loaded = loaded
        self.settings: Settings = loaded.settings
        self.prices: PriceTable = settings_prices(self.settings)
        self.models = model_table(self.settings)
        self.difficulty = difficulty_for(self.settings)
        self.started = int(time.time())
        self.run_dir = run_dir(self.settings)
        self.control_socket: Path = self.run_dir / "control.sock"
        self.state, self.previous = _state(plan(self.settings), inherited)
        kept = {} if inherited is None else _rows_before(self.run_dir)
        self.rows = _rows(self.settings, kept)
        if inherited is not None:
            for name in set(self.rows) - set(kept):
                clear_row(self.state, self.rows[name])
        self.health = HealthBoard(self.state, self.rows)
        self.keywords = load_keywords()
        self._worker: Any = None
        self._configure()
        self._announce()

    # ---- arbiter ---------------------------------------------------------------

    def _configure(self) -> None:
        """Shared rows of the upstreams and APIs; harmless when repeated after a reload."""
        named: dict[str, Upstream | Api] = {**self.settings.upstreams, **self.settings.apis}
        for name, section in named.items():
            configure_breaker(self.state, self.rows[name], section.breaker)
            if isinstance(section, Upstream):
                self.state.queues.configure(
                    self.rows[name], section.queue.parallel, section.queue.length
                )
            if isinstance(section, Api) and section.requests_per_minute:
                self.state.api_limits.configure(
                    self.rows[name],
                    60_000_000_000 // section.requests_per_minute,
                    section.burst or max(1, section.requests_per_minute // 10),
                )
        for target in self.models.all_targets():
            self.state.names.intern(target.upstream)
            self.state.names.intern(target.model)
        for alias in self.models.names:
            self.state.names.intern(alias)

    def _announce(self) -> None:
        """`run_dir/hub.json`: how `pihub top` and `pihub keys` find this hub."""
        self.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = {
            "pid": os.getpid(),
            "arena_fd": self.state.arena.fd,
            "listen": self.settings.server.listen,
            "workers": worker_count(self.settings),
            "upstreams": self.rows,
        }
        path = self.run_dir / "hub.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(info))
        fresh.replace(path)

    def scaled(self, numbers: Mapping[str, int]) -> None:
        for name, value in numbers.items():
            self.state.machine.put(ARBITER, Gauge[name.upper()], value)

    def process_died(self, slot: int, incarnation: int) -> None:
        self.state.process_died(slot, incarnation)

    def control_ready(self) -> bool:
        ready = self.state.keys.generation() > 0
        if ready:
            # The control process has its own mapping; this one would keep the memory.
            self.previous = None
        return ready

    # ---- worker ----------------------------------------------------------------

    def prepare_process(self) -> None:
        install_stackpool()

    def worker_app(
        self, slot: int, waiter: Waiter
    ) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
        from pihub.dataplane import Worker

        self._worker = Worker(self, slot, waiter)
        return self._worker.app  # type: ignore[no-any-return]

    def background(self) -> tuple[Callable[[], None], ...]:
        return (self._worker.flights.dispatch,)

    def on_tick(self, *, leaving: bool) -> None:
        if self._worker is not None:
            self._worker.tick(leaving)

    # ---- control ---------------------------------------------------------------

    def control_run(self, slot: int, listener: socket.socket, stop: threading.Event) -> None:
        from pihub.controlplane import run

        run(self, slot, listener, stop)


def plan(settings: Settings) -> Plan:
    """The arena that these settings need."""
    return Plan(worker_count(settings), parse_size(settings.cache.size))


def model_table(settings: Settings) -> ModelTable:
    """Raises ConfigError for a chain whose target does not exist."""
    kinds = {name: u.kind for name, u in settings.upstreams.items()}
    simulated = {name: u.simulated for name, u in settings.upstreams.items()}
    chains = {}
    for alias, model in settings.models.items():
        try:
            chains[alias] = chain_targets(model.chain, kinds, simulated, model.max_tokens)
        except (ValueError, KeyError) as error:
            raise ConfigError(f"models.{alias}.chain: {error}") from None
    return ModelTable(chains)


def build_hub(loaded: Loaded, inherited: Inherited | None = None) -> Hub:
    """Raises ConfigError and ArenaError."""
    # Imported before the first fork: all processes share these pages, and start at once.
    import_module("pihub.dataplane")
    import_module("pihub.controlplane")
    # What each process would load at its first answer and its first name of a host.
    import_module("encodings.idna")
    mimetypes.init()
    return Hub(loaded, inherited)


def _rows(settings: Settings, before: Mapping[str, int]) -> dict[str, int]:
    both = set(settings.upstreams) & set(settings.apis)
    if both:
        raise ConfigError(f"upstreams and apis share names: {', '.join(sorted(both))}")
    try:
        return upstream_rows([*settings.upstreams, *settings.apis], before)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _rows_before(folder: Path) -> dict[str, int]:
    """The rows of the image that this one replaces, as it announced them."""
    try:
        told = json.loads((folder / "hub.json").read_bytes())["upstreams"]
        return {str(name): int(row) for name, row in told.items() if 0 <= row < MAX_UPSTREAMS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _state(
    wanted: Plan, inherited: Inherited | None
) -> tuple[SharedState, SharedState | None]:
    """The arena, and the one before it if that does not fit any more."""
    previous = None
    try:
        if inherited is not None:
            state = SharedState.adopt(inherited.arena_fd, inherited.eventfds, wanted)
            if state is not None:
                return state, None
            try:
                previous = SharedState.attach(inherited.arena_fd)
            except (ValueError, KeyError):
                log.warning("the arena before is of another version: its last records are lost")
        return SharedState.create(wanted), previous
    except OSError as error:
        raise ArenaError(
            f"the shared arena cannot be created ({error.strerror}): lower cache.size"
        ) from error
