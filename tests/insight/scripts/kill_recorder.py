"""Records flow, the recorder is killed again and again: prints the balance as JSON.

The parent pushes into two rings of a shared arena; each child runs a recorder until it
is killed with SIGKILL: after a random time, before a random statement, or before the
beginning or the commit of a random transaction. At the end the parent drains the rest.

usage: kill_recorder.py DATABASE KILLS
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from pihub.insight.recorder import Recorder
from pihub.shared.events import Record
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore


def recorder_of(state: SharedState, store: MetricsStore) -> Recorder:
    return Recorder(
        state.events, state.arena.boot_id, state.names, store, state.counters,
        flush=0.001, retention_days=30,
    )  # fmt: skip


def child(state: SharedState, path: Path, kind: int, told: int) -> None:
    try:
        store = MetricsStore(path)
        left = (0, random.randint(1, 150), random.randint(1, 8))[kind]

        def trace(cursor: object, sql: str, values: object) -> bool:
            nonlocal left
            if kind == 1 or sql.startswith(("BEGIN", "COMMIT")):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return True

        if kind:
            with store.database.write() as connection:
                connection.exec_trace = trace
        recorder = recorder_of(state, store)
        recorder.listen(lambda records: os.write(told, b"."))
        recorder.run(threading.Event())
    finally:
        os._exit(3)


def main(path: Path, kills: int) -> None:
    state = SharedState.create(Plan(1, 1 << 22))
    names = [state.names.intern(f"model-{i}") for i in range(5)]
    MetricsStore(path).close()
    pushed = progress = 0

    def push(count: int) -> None:
        nonlocal pushed
        for _ in range(count):
            record = Record(
                ts_ns=1_795_000_000_000_000_000 + pushed * 10_000_000, rid=pushed, status=200,
                dur_us=pushed % 5000, cost_nano=pushed % 7, model=names[pushed % 5],
            )  # fmt: skip
            state.events.push(1 + pushed % 2, record)
            pushed += 1

    for number in range(kills):
        before = read_back(path)
        heard, told = os.pipe()
        os.set_blocking(heard, False)
        pid = os.fork()
        if pid == 0:
            random.seed(os.urandom(8))
            child(state, path, number % 3, told)
        os.close(told)
        # On a busy machine nothing may be stored for long: two in three that are killed from
        # outside die within 0.1 s of a commit, the others whenever it is.
        wait = number % 9 in (0, 3)
        end = time.monotonic() + (random.uniform(0.02, 0.2) if not wait else 10.0)
        dead, enough = 0, pushed + 2000
        while time.monotonic() < end and not dead:
            dead, status = os.waitpid(pid, os.WNOHANG)
            if pushed < enough:
                push(20)
            if wait and committed(heard):
                wait, end = False, time.monotonic() + random.uniform(0.0, 0.1)
            time.sleep(0.002)
        os.close(heard)
        if not dead:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "the recorder ended by itself"
        progress += read_back(path) > before
    store = MetricsStore(path)
    last = recorder_of(state, store)
    assert last.drain(), last.state()

    def one(sql: str) -> int:
        return int(store.database.read(sql)[0][0])

    print(
        json.dumps(
            {
                "kills": kills,
                "kills_with_progress": progress,
                "pushed": pushed,
                "rows": one("SELECT count(*) FROM requests"),
                "distinct": one("SELECT count(DISTINCT rid) FROM requests"),
                "lost": store.total("lost"),
                "recorded_total": store.total("recorded"),
                "minute_sum": one("SELECT sum(requests) FROM usage_minute"),
                "by_sums": [
                    one(
                        "SELECT sum(requests) FROM usage_by"
                        f" WHERE step = {step} AND dimension = {dimension}"
                    )
                    for step in (1, 2)
                    for dimension in range(8)
                ],
                "hour_sum": one("SELECT sum(requests) FROM usage_hour"),
                "cost_rows": one("SELECT sum(cost_nano) FROM requests"),
                "cost_minutes": one("SELECT sum(cost_nano) FROM usage_minute"),
                "cost_hours": one("SELECT sum(cost_nano) FROM usage_hour"),
                "integrity": store.database.read("PRAGMA integrity_check")[0][0],
            }
        )
    )


def committed(heard: int) -> bool:
    try:
        return bool(os.read(heard, 1))
    except BlockingIOError:
        return False


def read_back(path: Path) -> int:
    store = MetricsStore(path)
    count = int(store.database.read("SELECT count(*) FROM requests")[0][0])
    store.close()
    return count


main(Path(sys.argv[1]), int(sys.argv[2]))
