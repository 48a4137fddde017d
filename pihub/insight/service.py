"""The observing half of the control process: recorder, live picture, names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from pihub.insight.cache_study import CacheStudy
from pihub.insight.dns import DnsPublisher
from pihub.insight.live import Live, UpstreamInfo
from pihub.insight.recorder import CONTROL_ROW, Recorder
from pihub.settings.routing_rules import local
from pihub.settings.schema import Settings
from pihub.shared.health import HealthBoard
from pihub.shared.heap import trim
from pihub.shared.memory import EVERY, MemoryManager
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState
from pihub.store.rows import EventStore

log = logging.getLogger("pihub.control")

PATIENCE = 8.0
"""Seconds for the last drain and checkpoint."""


class Exporter(Protocol):
    """`insight.otel.OtelExporter`."""

    def stored(self, records: Sequence[bytes]) -> None: ...
    def run(self, stop: threading.Event) -> None: ...


class Observers:
    """Four services and their threads; `start` once, `finish` once."""

    def __init__(
        self,
        settings: Settings,
        state: SharedState,
        health: HealthBoard,
        store: EventStore,
        exporter: Exporter | None = None,
    ) -> None:
        self._exporter = exporter
        self._state = state
        self.study = CacheStudy(state)
        self.recorder = Recorder(
            state.events,
            state.arena.boot_id,
            state.names,
            store,
            state.counters,
            flush=settings.store.flush,
            retention_days=settings.store.retention_days,
        )
        self.recorder.listen(self.study.stored)
        if exporter is not None:
            self.recorder.listen(exporter.stored)
        self.live = Live(state, health, upstream_info(settings), store, self.recorder)
        self.dns = DnsPublisher(state.dns, hosts(settings))
        self.memory = MemoryManager(state.cache)
        self.failed = False
        """The recorder died: the process must end, so that it is started anew."""
        self._stop = threading.Event()
        self._recorder: threading.Thread | None = None

    def start(self, on_death: Callable[[], object]) -> None:
        """`on_death` is called, in a thread, if the recorder ends with an error."""
        self._recorder = threading.Thread(
            target=self._record, args=(on_death,), name="recorder", daemon=True
        )
        live = threading.Thread(target=self.live.run, args=(self._stop,), name="live", daemon=True)
        memory = threading.Thread(target=self._tend, name="memory", daemon=True)
        if self._exporter is not None:
            run = self._exporter.run
            threading.Thread(target=run, args=(self._stop,), name="otel", daemon=True).start()
        for thread in (self._recorder, live, memory, *self.dns.threads(self._stop)):
            thread.start()

    def finish(self) -> bool:
        """Stop, store what the rings hold, checkpoint; False if that took too long."""
        self._stop.set()
        if self._recorder is None:
            return True
        self.recorder.nudge()
        self._recorder.join(PATIENCE)
        if self._recorder.is_alive():
            log.error("the last records were not stored within %g s", PATIENCE)
        return not self._recorder.is_alive()

    def _tend(self) -> None:
        """What is looked after every few seconds."""
        while not self._stop.wait(EVERY):
            # Two dozen threads have arenas of their own, each as large as its largest moment.
            trim()
            steps, shed = self.memory.steps, self.memory.shed_bytes
            self.memory.step()
            add = self._state.counters.add
            add(CONTROL_ROW, Column.MEMORY_STEPS, self.memory.steps - steps)
            add(CONTROL_ROW, Column.MEMORY_SHED, self.memory.shed_bytes - shed)
            self.study.publish()

    def _record(self, on_death: Callable[[], object]) -> None:
        try:
            self.recorder.run(self._stop)
        except Exception:
            log.exception("the recorder failed")
            self.failed = True
            on_death()


def upstream_info(settings: Settings) -> dict[str, UpstreamInfo]:
    """All upstreams, then all APIs: the order of their rows in the arena."""
    here = local(settings)
    found = {
        name: UpstreamInfo(one.kind, one.simulated, name not in here)
        for name, one in settings.upstreams.items()
    }
    return found | {name: UpstreamInfo("api") for name in settings.apis}


def hosts(settings: Settings) -> Iterable[str]:
    """The host names that workers connect to."""
    urls = [one.url for one in settings.upstreams.values()]
    for url in (*urls, *(one.url for one in settings.apis.values())):
        host = urlsplit(url).hostname
        if host:
            yield host
