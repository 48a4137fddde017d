"""What recording costs the control process: CPU, rows a second, bytes written.

Records lie in a real ring, a real recorder drains them into a real file; the time is the
process's CPU over the drains alone, the bytes are what /proc/self/io counts until the
file is checkpointed. The rate decides how many records share a commit (one a second).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from pihub.insight.recorder import BATCH, Recorder
from pihub.shared.events import CacheState, Record
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore

RATES = (10, 100, 1000, BATCH)
RECORDS = 40_960
COMMITS = 300
"""At low rates: so few records would otherwise need thousands of commits."""
START = 1_795_000_000_000_000_000


class Cost(NamedTuple):
    """Of one rate and round."""

    cpu_us: float
    """A record."""
    rows_s: float
    """Seconds of CPU, so without waiting for the disk."""
    bytes_1000: int
    """Written to disk for 1,000 records."""


def record(number: int, rate: int, names: list[int]) -> bytes:
    """Chat answers of three keys: hits, local answers and priced ones."""
    dice = random.Random(number)
    hit = number % 3 == 0
    return Record(
        ts_ns=START + number * (10**9 // rate),
        rid=dice.getrandbits(64),
        cost_nano=0 if hit else dice.randrange(10**7),
        saved_nano=dice.randrange(10**7) if hit else 0,
        dur_us=dice.randrange(200, 900) if hit else dice.randrange(300_000, 3_000_000),
        ttft_us=0 if hit else dice.randrange(100_000, 900_000),
        in_tok=dice.randrange(20, 800),
        out_tok=dice.randrange(20, 800),
        bytes_in=dice.randrange(200, 4000),
        bytes_out=dice.randrange(400, 4000),
        key=1 + dice.randrange(3),
        inspect_us=dice.randrange(10, 80),
        lookup_us=dice.randrange(10, 80),
        route_us=dice.randrange(2, 20),
        call_us=0 if hit else dice.randrange(100_000, 900_000),
        render_us=dice.randrange(10, 80),
        status=200,
        tenant=1,
        route=1,
        model=names[number % 2],
        upstream=names[2],
        alias=names[3],
        cache=CacheState.HIT if hit else CacheState.MISS,
        flags=number % 2,
        attempts=0 if hit else 1,
        worker=1 + number % 2,
    ).pack()


def measure(rate: int, folder: Path) -> Cost:
    state = SharedState.create(Plan(workers=2, cache_bytes=1 << 22))
    store = MetricsStore(folder / "pihub.db")
    recorder = Recorder(
        state.events, state.arena.boot_id, state.names, store, state.counters,
        flush=1.0, retention_days=30,
    )  # fmt: skip
    names = [state.names.intern(name) for name in ("llama3", "haiku", "ollama", "assistant")]
    total = min(RECORDS, rate * COMMITS) // rate * rate
    records = [record(number, rate, names) for number in range(total)]
    store.checkpoint()
    written, spent = _written(), 0.0
    for start in range(0, total, rate):
        for number in range(start, start + rate):
            state.ring.push(1 + number % 2, records[number])
        begun = time.process_time()
        assert recorder.drain(), recorder.state()
        spent += time.process_time() - begun
    begun = time.process_time()
    store.checkpoint()
    spent += time.process_time() - begun
    found = Cost(spent / total * 1e6, total / spent, (_written() - written) * 1000 // total)
    assert store.total("recorded") == total
    store.close()
    for fd in state.eventfds:
        os.close(fd)
    return found


def _written() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return int(value)
    return 0


def run(args: argparse.Namespace) -> int:
    out = {}
    print(f"{'records a commit':>16} {'CPU us a record':>16} {'(best)':>7}"
          f" {'rows/s of CPU':>14} {'kB written a 1,000':>19}")  # fmt: skip
    for rate in RATES:
        rounds = []
        for _ in range(args.rounds):
            with tempfile.TemporaryDirectory(prefix="pihub-bench-") as folder:
                rounds.append(measure(rate, Path(folder)))
        middle = Cost(*(statistics.median(column) for column in zip(*rounds, strict=True)))
        best = min(one.cpu_us for one in rounds)
        print(f"{rate:16} {middle.cpu_us:16.2f} {best:7.2f}"
              f" {middle.rows_s:14,.0f} {middle.bytes_1000 / 1000:19.1f}")  # fmt: skip
        out[rate] = middle._asdict() | {"best_cpu_us": best}
    if args.json:
        Path(args.json).write_text(json.dumps({"recorder": out}, indent=1), "utf-8")
    return 0
