"""The recorder while its files may not grow: prints what happened as JSON.

usage: full_disk.py DATABASE
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from pihub.insight.recorder import Recorder
from pihub.shared.events import Record
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore


def main(path: Path) -> None:
    state = SharedState.create(Plan(1, 1 << 22))
    store = MetricsStore(path)
    recorder = Recorder(
        state.events, state.arena.boot_id, state.names, store, state.counters,
        flush=0.05, retention_days=30,
    )  # fmt: skip
    pushed = 0

    def push(count: int) -> None:
        nonlocal pushed
        for _ in range(count):
            state.events.push(1, Record(ts_ns=10**18, rid=pushed, status=200))
            pushed += 1

    push(100)
    recorder.drain()
    size = max(item.stat().st_size for item in path.parent.iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, hard))
    for _ in range(40):
        push(100)
        recorder.drain()
    stored_while_full = len(store.recent(100_000))
    failures = recorder.state().failures
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert recorder.drain(), recorder.state()
    print(
        json.dumps(
            {
                "pushed": pushed,
                "stored_while_full": stored_while_full,
                "failures": failures,
                "rids": sorted(row.rid for row in store.recent(100_000)),
                "lost": recorder.state().lost,
                "integrity": store.database.read("PRAGMA integrity_check")[0][0],
            }
        )
    )


main(Path(sys.argv[1]))
