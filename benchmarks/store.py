"""How long the admin API's questions take with 5 million requests stored, and how large they are.

Thirty days of a household's traffic (five keys, three models, hits and misses, some errors)
go through the real writing path, batch by batch. Then every question is asked many times in
turn, each with other parameters, on the connection that the control process uses. Judged are
the thread's CPU times: what is asked lies in the page cache, and the machine may be shared. The
times by the clock stand beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pihub.shared.events import CacheState, Record
from pihub.store.metrics import MetricsStore
from pihub.store.rows import Wanted

DAYS = 30
BATCH = 2048
BOUND_MS = 10.0
FIGURES = ("median_ms", "p99_ms", "clock_median_ms", "clock_p99_ms")
START = 1_795_000_000 // 86400 * 86400
NAMES = ("", "llama3.2:3b", "claude-haiku-4-5", "ollama", "claude", "assistant", "upstream_timeout")


class Names:
    def lookup(self, index: int) -> str:
        return NAMES[index]


def record(number: int, total: int, dice: random.Random) -> bytes:
    hit, failed = number % 3 == 0, number % 97 == 0
    local = number % 5 != 1
    return Record(
        ts_ns=int((START + number * DAYS * 86400 / total) * 1e9), rid=dice.getrandbits(64),
        cost_nano=0 if hit or local else 4_000_000, saved_nano=4_000_000 if hit else 0,
        dur_us=int(dice.lognormvariate(6, 0.4) if hit else dice.lognormvariate(13.5, 0.8)),
        ttft_us=0 if hit else 300_000, in_tok=200, out_tok=150, bytes_in=900, bytes_out=1200,
        key=1 + number % 5, tenant=1 + number % 2, route=1 + number % 3,
        status=504 if failed else 200, model=1 if local else 2, upstream=3 if local else 4,
        alias=5, error=6 if failed else 0, cache=CacheState.HIT if hit else CacheState.MISS,
        attempts=0 if hit else 1, worker=1 + number % 2, inspect_us=30, lookup_us=20, route_us=5,
        call_us=0 if hit else 500_000, render_us=30,
    ).pack()  # fmt: skip


def fill(store: MetricsStore, total: int) -> float:
    dice, names, begun = random.Random(1), Names(), time.process_time()
    for start in range(0, total, BATCH):
        part = [record(n, total, dice) for n in range(start, min(start + BATCH, total))]
        store.commit(1, {0: start + len(part)}, 0, part, names)
        now = START + start * DAYS * 86400 // total
        while store.prune(now, DAYS, 500) >= 500:
            pass
    store.checkpoint()
    return time.process_time() - begun


def questions(store: MetricsStore, total: int) -> dict[str, Callable[[random.Random], Any]]:
    end = START + DAYS * 86400

    def usage(step: Any, seconds: int, by: Any) -> Callable[[random.Random], Any]:
        def ask(dice: random.Random) -> Any:
            back = 6 if step == "minute" else DAYS - 10
            to = end - dice.randrange(back * 24) * 3600
            return store.usage(to - seconds, to, step, by)

        return ask

    found: dict[str, Callable[[random.Random], Any]] = {
        "requests, newest 100": lambda dice: store.recent(100),
        "requests, any page of 100": lambda dice: store.recent(100, dice.randrange(200, total)),
        "requests, the page before": lambda dice: store.newer(100, dice.randrange(1, total)),
        "spent since midnight": lambda dice: store.spent(end - 86400 + dice.randrange(1800)),
    }

    def search(wanted: Wanted) -> Callable[[random.Random], Any]:
        return lambda dice: store.search(wanted, 100, edge=dice.randrange(30_000, total))

    found["requests that failed, any page"] = search(Wanted(status_from=500, status_to=599))
    found["requests, a page without a hit"] = search(Wanted(status_from=418, status_to=418))
    found["requests of a key and model"] = search(Wanted(key=2, model="claude-haiku-4-5"))
    found["requests with a part of a name"] = search(Wanted(part="ude/claude-h", key=3))
    found["requests with a part of no name"] = search(Wanted(part="nobody"))
    found["streams, of which there is none"] = search(Wanted(flags=1))
    found["requests of one hour"] = lambda dice: store.search(
        Wanted(since=(at := START + dice.randrange((DAYS - 2) * 86400)), until=at + 3600), 100
    )
    for by in ("none", "tenant", "key", "route", "model", "upstream", "status", "cache"):
        found[f"60 minutes by {by}"] = usage("minute", 3600, by)
        found[f"48 hours by {by}"] = usage("hour", 48 * 3600, by)
        found[f"30 days by {by}"] = usage("day", 30 * 86400, by)
    found["30 days of hours, money alone"] = lambda dice: store.usage(
        end - 30 * 86400, end, "hour", "none", paces=False
    )
    found["168 minutes by model"] = usage("minute", 168 * 60, "model")
    found["168 hours by model"] = usage("hour", 168 * 3600, "model")
    return found


def quantiles(times: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    times.sort()
    return times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]


def run(args: argparse.Namespace) -> int:
    total, rounds = args.requests, max(20, args.rounds * 20)
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pihub-bench-") as folder:
        store = MetricsStore(Path(folder) / "pihub.db")
        cpu = fill(store, total)
        size = store.database.size()
        print(f"{total:,} requests: {size / 1e6:,.0f} MB on disk, {size * 1000 // total:,} bytes"
              f" a 1,000; written with {cpu / total * 1e6:.1f} us of CPU each")  # fmt: skip
        asked = questions(store, total)
        times: dict[str, list[float]] = {name: [] for name in asked}
        clock: dict[str, list[float]] = {name: [] for name in asked}
        dice = random.Random(2)
        for _ in range(rounds):
            for name, ask in asked.items():
                by_clock, begun = time.perf_counter(), time.thread_time()
                ask(dice)
                times[name].append((time.thread_time() - begun) * 1000)
                clock[name].append((time.perf_counter() - by_clock) * 1000)
        worst = 0.0
        print(f"{'question':<32}{'median ms':>10}{'p99 ms':>10}{'by clock':>10}{'p99 ms':>10}")
        for name in asked:
            cpu_ms, clock_ms = quantiles(times[name]), quantiles(clock[name])
            worst = max(worst, cpu_ms[1])
            out[name] = dict(zip(FIGURES, cpu_ms + clock_ms, strict=True))
            row = "".join(f"{ms:10.2f}" for ms in cpu_ms + clock_ms)
            print(f"{name:<32}{row}{'' if cpu_ms[1] < BOUND_MS else '  over'}")
        store.close()
    if args.json:
        Path(args.json).write_text(json.dumps({"store": out, "bytes": size}, indent=1), "utf-8")
    return 0 if worst < BOUND_MS else 1
