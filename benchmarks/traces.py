"""What the eviction is worth: hit ratios and saved tokens over recorded traces.

    python -m benchmarks.traces --data DIR [--json FILE] [--requests N] [--only NAME] [--no-opt]

DIR/traces/*.txt.xz (or DIR/*.txt.xz): one integer key a line. Each trace is replayed on the
real cache of the core, in an arena that holds 1, 5, 10 and 25 % of its different keys, and on
policies written down as their papers say them (benchmarks/policies.py). The first table gives
hits, where all answers are worth the same; the second the tokens saved, where each key's
answer has a length drawn by a fixed seed, log-normal with median 129 and sigma 1 (1 to 2000),
and the cache is told it. OPT is Belady's for hits; nobody can have it, and it takes half of the
time: `--no-opt` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import os
import random
import sys
from array import array
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.policies import Policy, Result, gdf, lru, opt, s3fifo
from pihub._core.arena import Arena
from pihub._core.cache import Cache

SHARES = (0.01, 0.05, 0.10, 0.25)
HEADER = 64
ENTRY = 1024
"""Bytes of an entry with its header: what a short answer has."""
SEED = 1


def load(path: Path, requests: int) -> tuple[array[int], int]:
    """The keys, renumbered from 0 by first appearance, and how many there are."""
    numbers: dict[str, int] = {}
    keys = array("I")
    with lzma.open(path, "rt") as lines:
        for line in lines:
            if text := line.strip():
                keys.append(numbers.setdefault(text, len(numbers)))
                if len(keys) == requests:
                    break
    return keys, len(numbers)


def costs_of(n: int) -> list[float]:
    draw = random.Random(SEED)
    return [min(max(1.0, draw.lognormvariate(math.log(129), 1.0)), 2000.0) for _ in range(n)]


def cache_for(entries: int) -> tuple[Cache, int]:
    """A cache with room for that many entries, and the bytes of one with its header."""
    entry = max(ENTRY, -(-40_000 // entries // 16) * 16)
    size = Cache.size_for(entries * entry)
    for _ in range(16):
        cache = Cache(Arena.create([("cache", size)], 1), "cache")
        over = cache.stats()["capacity"] - entries * entry
        if 0 <= over < entry:
            break
        size -= over - entry // 2
    cache.set_owner(1)
    return cache, entry


def ours(trace: array[int], cost: list[float], capacity: int) -> Result:
    """The core's own cache, as the hub uses it."""
    cache, entry = cache_for(capacity)
    draw = random.Random(SEED + 1)
    keys = [(draw.getrandbits(64), draw.getrandbits(64)) for _ in cost]
    value = b"v" * (entry - HEADER)
    get, put = cache.get, cache.put
    hits, saved = 0, 0.0
    for key in trace:
        h1, h2 = keys[key]
        if get(h1, h2, 1) is not None:
            hits += 1
            saved += cost[key]
        else:
            put(h1, h2, 1, value, 1e6, 0.0, 0, cost[key])
    return hits, saved


def one(path: Path, requests: int, others: tuple[Policy, ...]) -> list[dict[str, Any]]:
    """All sizes of one trace."""
    trace, unique = load(path, requests)
    name = path.name.split(".")[0]
    same, cost = [1.0] * unique, costs_of(unique)
    total = sum(cost[key] for key in trace)
    rows = []
    for share in SHARES:
        size = max(2, int(unique * share))
        row: dict[str, Any] = {"trace": name, "share": share, "entries": size}
        row |= {"requests": len(trace), "keys": unique, "hits": {}, "tokens": {}}
        plain = ours(trace, same, size)
        told = ours(trace, cost, size)
        row["hits"]["pihub"] = 100 * plain[0] / len(trace)
        row["tokens"]["pihub"] = 100 * told[1] / total
        row["hits_when_told_costs"] = 100 * told[0] / len(trace)
        for policy in others:
            hits, saved = policy(trace, cost, size)
            row["hits"][policy.__name__] = 100 * hits / len(trace)
            row["tokens"][policy.__name__] = 100 * saved / total
        rows.append(row)
    return rows



def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the traces, each the mean of its sizes; and the worst distance to LRU."""
    traces = sorted({row["trace"] for row in rows})
    names = list(rows[0]["hits"])
    out: dict[str, Any] = {}
    for what in ("hits", "tokens"):
        means = {
            trace: {
                name: sum(r[what][name] for r in rows if r["trace"] == trace) / len(SHARES)
                for name in names
            }
            for trace in traces
        }
        worst = min(traces, key=lambda t: means[t]["pihub"] - means[t]["lru"])
        out[what] = {
            "mean": {n: sum(means[t][n] for t in traces) / len(traces) for n in names},
            "worst_against_lru": [worst, means[worst]["pihub"] - means[worst]["lru"]],
        }
    return out


def show(rows: list[dict[str, Any]], means: dict[str, Any]) -> None:
    names = list(rows[0]["hits"])
    for what in ("hits", "tokens"):
        print(f"\n{what} (%)".ljust(36), *(f"{name:>8}" for name in names))
        for row in rows:
            label = f"{row['trace']} {row['entries']}"
            print(f"{label:<34}", *(f"{row[what][name]:8.2f}" for name in names))
        print(f"{'mean over traces':<34}", *(f"{means[what]['mean'][n]:8.2f}" for n in names))
        trace, points = means[what]["worst_against_lru"]
        print(f"worst against LRU: {points:+.2f} points ({trace})")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traces")
    parser.add_argument("--data", type=Path, required=True, help="folder with traces/*.txt.xz")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--requests", type=int, default=0, help="of each trace at most; 0: all")
    parser.add_argument("--only", default="", help="traces whose name has this in it")
    parser.add_argument("--no-opt", action="store_true", help="without Belady's OPT")
    args = parser.parse_args()
    others = (lru, s3fifo, gdf) if args.no_opt else (lru, s3fifo, gdf, opt)
    folder = args.data / "traces" if (args.data / "traces").is_dir() else args.data
    paths = sorted(path for path in folder.glob("*.txt.xz") if args.only in path.name)
    if not paths:
        print(f"no traces (*.txt.xz) in {folder}", file=sys.stderr)
        return 2
    paths.sort(key=lambda path: -path.stat().st_size)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(one, paths, repeat(args.requests or -1), repeat(others)))
    rows = sorted((row for rows in done for row in rows), key=lambda r: (r["trace"], r["share"]))
    means = summary(rows)
    show(rows, means)
    if args.json:
        args.json.write_text(json.dumps({"seed": SEED, "cells": rows, "summary": means}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
