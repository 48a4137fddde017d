"""The recorder against a real ring and a real database."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pihub._core.ring import Ring
from pihub.insight.recorder import BATCH, Recorder
from pihub.shared.events import Record
from pihub.shared.metrics import Column
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore
from pihub.store.sqlite import StoreFault
from tests.race.forks import fork, wait

Again = Callable[..., Recorder]
Until = Callable[[Callable[[], object]], None]
SCRIPTS = Path(__file__).parent / "scripts"


def push(state: SharedState, ring: int, rids: range) -> None:
    for rid in rids:
        state.events.push(ring, Record(ts_ns=time.time_ns(), rid=rid, status=200, dur_us=1000))


def rids(store: MetricsStore) -> list[int]:
    return sorted(row.rid for row in store.recent(100_000))


@contextmanager
def running(recorder: Recorder) -> Iterator[threading.Thread]:
    """Its thread; it has stored what there was, and ended, after the block."""
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        recorder.nudge()
        thread.join(10)
    assert not thread.is_alive()


def naps(thread: threading.Thread) -> int:
    """How often it went to sleep."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def asleep(thread: threading.Thread) -> bool:
    """It has not run for half a second."""
    before = naps(thread)
    time.sleep(0.5)
    return naps(thread) == before


def test_all_rings_are_drained_whole(
    state: SharedState, store: MetricsStore, recorder: Recorder
) -> None:
    push(state, 1, range(3000))
    push(state, 2, range(3000, 3010))
    push(state, 0, range(3010, 3015))
    assert recorder.state().behind == 3015
    assert recorder.drain()
    assert rids(store) == list(range(3015))
    assert recorder.state()[:5] == (0, 3015, 0, 0, "")
    assert state.counters.total(Column.EVENTS_RECORDED) == 3015
    assert BATCH < 3000


def test_a_mark_is_reached_although_more_comes(state: SharedState, recorder: Recorder) -> None:
    push(state, 1, range(3))
    stored = recorder.mark()
    assert not stored()
    recorder.drain()
    push(state, 1, range(3, 5))
    assert stored() and recorder.state().behind == 2
    assert not recorder.mark()()


def test_a_batch_is_stored_in_the_order_of_time(
    state: SharedState, store: MetricsStore, recorder: Recorder
) -> None:
    for number in range(20):
        ring = 1 + number % 2
        state.events.push(ring, Record(ts_ns=10**18 + number, rid=number))
    recorder.drain()
    assert [row.rid for row in store.recent(100)] == list(range(19, -1, -1))


def test_the_next_recorder_goes_on_where_the_last_committed(
    state: SharedState, store: MetricsStore, recorder: Recorder, again: Again
) -> None:
    push(state, 1, range(10))
    recorder.drain()
    push(state, 1, range(10, 20))
    assert again().drain()
    assert rids(store) == list(range(20))
    assert again().drain()
    assert rids(store) == list(range(20))


def test_another_arena_is_read_from_its_beginning(
    state: SharedState, store: MetricsStore, recorder: Recorder, again: Again
) -> None:
    push(state, 1, range(10))
    recorder.drain()
    other = SharedState.create(Plan(workers=2, cache_bytes=1 << 22))
    push(other, 1, range(100, 105))
    second = again(other, flush=0.05)
    assert second.drain()
    assert rids(store) == [*range(10), *range(100, 105)]


def test_overwritten_records_are_counted_not_invented(
    state: SharedState, store: MetricsStore, recorder: Recorder
) -> None:
    capacity = state.ring.capacity
    push(state, 1, range(capacity + 1000))
    assert recorder.drain()
    kept = rids(store)
    lost = recorder.state().lost
    assert lost >= 1000
    assert len(kept) + lost == capacity + 1000
    assert kept == list(range(lost, capacity + 1000))
    assert state.counters.total(Column.EVENTS_LOST) == lost
    assert store.total("lost") == lost


def test_a_failing_store_loses_nothing(
    state: SharedState, store: MetricsStore, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(state, 1, range(10))
    commit = store.commit

    def fail(*args: object) -> None:
        raise StoreFault("disk on fire")

    monkeypatch.setattr(store, "commit", fail)
    assert not recorder.drain()
    assert not recorder.drain()
    assert recorder.state().failures == 2
    assert "disk on fire" in recorder.state().last_error
    assert recorder.state().behind == 10
    push(state, 1, range(10, 12))
    monkeypatch.setattr(store, "commit", commit)
    assert recorder.drain()
    assert rids(store) == list(range(12))
    assert recorder.state().last_error == ""
    assert state.counters.total(Column.STORE_FAILURES) == 2


def test_the_strangest_record_does_not_stop_the_line(
    state: SharedState, store: MetricsStore, recorder: Recorder
) -> None:
    state.ring.push(1, b"\xff" * 128)
    state.ring.push(1, b"\x00" * 128)
    for _ in range(3):
        state.events.push(1, Record(rid=5, cost_nano=2**63 - 1, saved_nano=2**63 - 1))
    push(state, 1, range(7, 8))
    assert recorder.drain()
    assert rids(store) == [0, 5, 5, 5, 7, 2**64 - 1]
    assert recorder.state().failures == 0


def test_the_thread_flushes_in_time_and_drains_at_the_end(
    state: SharedState,
    store: MetricsStore,
    recorder: Recorder,
    until: Until,
) -> None:
    with running(recorder):
        push(state, 1, range(5))
        until(lambda: rids(store) == list(range(5)))
        push(state, 2, range(5, 9))
    assert rids(store) == list(range(9))


def test_a_full_ring_does_not_wait_for_the_flush(
    state: SharedState, store: MetricsStore, again: Again, until: Until
) -> None:
    slow = again(flush=3600)
    with running(slow):
        push(state, 1, range(state.ring.capacity // 2))
        until(lambda: slow.state().recorded >= BATCH)


def test_an_idle_recorder_sleeps_until_the_first_record(
    state: SharedState, store: MetricsStore, again: Again, until: Until
) -> None:
    idle = again(flush=0.05)
    with running(idle) as thread:
        until(lambda: asleep(thread))
        before = naps(thread)
        time.sleep(2)
        assert naps(thread) == before
        push(state, 1, range(3))
        until(lambda: idle.state().recorded == 3)
        until(lambda: asleep(thread))


def test_whoever_buries_a_worker_wakes_the_recorder_in_its_place(
    state: SharedState, store: MetricsStore, again: Again, until: Until
) -> None:
    """A worker that is killed between its record and the eventfd."""
    idle = again(flush=0.05)
    incarnation = state.arena.claim_slot(1, 12345)
    unheard = Ring(state.arena, "ring", state.slots, state.ring.capacity)
    with running(idle) as thread:
        until(lambda: asleep(thread))
        unheard.push(1, Record(ts_ns=time.time_ns(), rid=1).pack())
        time.sleep(0.2)
        assert idle.state().behind == 1
        state.process_died(1, incarnation)
        until(lambda: idle.state().recorded == 1)


def test_batches_follow_each_other_in_the_order_of_the_ends(
    state: SharedState, store: MetricsStore, recorder: Recorder
) -> None:
    """More than a batch takes, and what one ring has does not go before the others'."""
    total = 3 * BATCH
    for number in range(total):
        started = 10**18 + number * 1000 - number % 7 * 10**9
        record = Record(ts_ns=started, rid=number, dur_us=number % 7 * 10**6)
        state.events.push(1 + number % 3, record)
    assert recorder.drain()
    assert [row.rid for row in store.recent(total)] == list(range(total - 1, -1, -1))


def test_workers_that_push_while_it_stores_come_in_order(
    state: SharedState, store: MetricsStore, again: Again
) -> None:
    """Three processes, a recorder that stores as fast as it can: the table is in order."""
    quick = again(flush=0.4)
    each = 1500

    def work(slot: int) -> None:
        for number in range(each):
            began = time.time_ns()
            time.sleep(0.001)
            took = (time.time_ns() - began) // 1000
            record = Record(ts_ns=began, rid=slot * each + number, dur_us=took)
            state.events.push(slot, record)

    pids = [fork(lambda slot=slot: work(slot)) for slot in (1, 2, 3)]
    with running(quick):
        wait(pids)
    rows = store.recent(100_000)[::-1]
    assert sorted(row.rid for row in rows) == list(range(each, 4 * each))
    ended = [row.ts_ns + row.dur_us * 1000 for row in rows]
    assert ended == sorted(ended)


def test_old_rows_go_while_it_runs(
    state: SharedState, store: MetricsStore, again: Again, until: Until
) -> None:
    push(state, 1, range(3))
    future = again(flush=0.01, retention_days=1, clock=lambda: time.time() + 3 * 86400)
    with running(future):
        until(lambda: future.state().recorded == 3 and not store.recent(10))


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow beyond a limit for a while."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "full_disk.py"), str(tmp_path / "pihub.db")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] > 0
    assert told["stored_while_full"] < told["pushed"]
    assert told["rids"] == list(range(told["pushed"]))
    assert told["lost"] == 0
    assert told["integrity"] == "ok"


def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Records flow while the recorder is killed again and again in mid-transaction."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "kill_recorder.py"), str(tmp_path / "pihub.db"), "60"],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == 60
    assert told["kills_with_progress"] >= 10
    assert told["rows"] + told["lost"] == told["pushed"]
    assert told["distinct"] == told["rows"]
    assert told["lost"] == 0
    assert told["minute_sum"] == told["hour_sum"] == told["rows"]
    assert told["by_sums"] == [told["rows"]] * 16
    assert told["cost_rows"] == told["cost_minutes"] == told["cost_hours"]
    assert told["recorded_total"] == told["rows"]
    assert told["integrity"] == "ok"
