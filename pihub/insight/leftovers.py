"""Records that workers of the arena before still write while they drain.

A reload that needs another arena (other sizes) starts new workers on it; the old ones
end their streams on the old one. Its rings are read until the last of them is gone.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from pihub.insight.recorder import Recorder
from pihub.settings.schema import Settings
from pihub.shared.state import SharedState
from pihub.store.metrics import MetricsStore

log = logging.getLogger("pihub.recorder")

LOOK = 0.5
"""Seconds between looks at whether old workers still live."""


def drain(
    previous: SharedState,
    current: SharedState,
    database: Path,
    settings: Settings,
    stop: threading.Event,
) -> None:
    """Body of a thread: returns when no process of `previous` is left, or at `stop`.

    `previous` may be attached read-only: what is counted goes to `current`. It has a
    connection of its own to the database, closed at the end.
    """
    store = MetricsStore(database)
    ended = threading.Event()
    recorder = Recorder(
        previous.events,
        previous.arena.boot_id,
        previous.names,
        store,
        current.counters,
        flush=settings.store.flush,
        retention_days=settings.store.retention_days,
    )
    reader = threading.Thread(target=recorder.run, args=(ended,), name="leftovers")
    reader.start()
    while _anyone(previous) and not stop.wait(LOOK):
        pass
    ended.set()
    reader.join()
    store.close()
    log.info("the records of the arena before are stored")


def _anyone(state: SharedState) -> bool:
    pids = [state.arena.slot_info(slot)[0] for slot in range(1, state.slots)]
    return any(pid and Path(f"/proc/{pid}").exists() for pid in pids)
