"""Is a shared cache as fast as a private one? And what do the core's primitives cost?

All contenders take turns in short windows of one run; each keeps its quickest window.
Primitives are timed in C (ops.c), and counted in
instructions where valgrind is installed. A baseline a machine lies in the user's cache folder:
`~/.cache/pihub/benchmarks-core.json`; what got more than a tenth slower is said.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.core.contenders import ALL, Loop

SIZES = {64: 1000, 1024: 1000, 16384: 250}
"""Bytes of a value, and how many keys."""
SLOW = {"redis", "memcached", "diskcache"}
HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
WIDTH = 40
CALLGRIND = ("valgrind", "--tool=callgrind")


def window(loop: Loop, keys: int) -> float:
    """Nanoseconds a call, the loop's own 5 to 10 included."""
    start = time.perf_counter_ns()
    loop()
    return (time.perf_counter_ns() - start) / keys


def compare(rounds: int) -> tuple[dict[str, dict[str, float]], list[str]]:
    """{"get 64": {contender: ns}}; and who is missing."""
    table: dict[str, dict[str, float]] = {}
    missing: dict[str, None] = {}
    for size, keys in SIZES.items():
        with ExitStack() as stack:
            value = os.urandom(size)
            pairs: dict[str, tuple[Loop, Loop]] = {}
            for name, make in ALL.items():
                try:
                    pairs[name] = make(value, keys, stack)
                except ImportError as error:
                    missing[f"{name} ({error.name or error})"] = None
            for what in ("set", "get"):
                best: dict[str, float] = {}
                for turn in range(rounds * 40):
                    for name, (get, put) in pairs.items():
                        if name in SLOW and turn >= rounds * 2:
                            continue
                        took = window(put if what == "set" else get, keys)
                        best[name] = min(best.get(name, took), took)
                if what == "set":
                    best.pop("lru_cache", None)  # it has no set
                table[f"{what} {size}"] = best
    return table, list(missing)


def primitives(folder: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Nanoseconds, and instructions an operation if valgrind is there."""
    program = folder / "ops"
    words = os.environ.get("CC", "cc").split()
    flags = ["-std=gnu11", "-O2", "-g", "-Wno-unused-function", f"-I{INCLUDE}"]
    subprocess.run([*words, *flags, str(HERE / "ops.c"), "-o", str(program)], check=True)
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    times = {name: float(ns) for name, ns in (line.split() for line in said.splitlines())}
    counts: dict[str, int] = {}
    if shutil.which("valgrind"):
        for name in times:
            out = subprocess.run(
                [*CALLGRIND, f"--callgrind-out-file={folder}/cg", program, name],
                capture_output=True,
                text=True,
                check=True,
            ).stderr
            line = next(line for line in out.splitlines() if "Collected" in line)
            counts[name] = int(line.split(":")[1])
        empty = counts.pop("nothing")
        counts = {name: round((count - empty) / 20000) for name, count in counts.items()}
    return times, counts


def plot(title: str, row: dict[str, float]) -> None:
    """Bars on a logarithmic scale: a tenth of the width is half a decade."""
    for name, ns in sorted(row.items(), key=lambda item: item[1]):
        bar = "#" * max(1, round(math.log10(max(ns, 1)) * WIDTH / 5))
        print(f"{title:10} {name:12} {ns:10.0f} ns {bar}")


def worse(figures: dict[str, Any], path: Path) -> list[str]:
    """Instructions that grew by a tenth since the baseline of this machine; it is kept."""
    before = json.loads(path.read_text()) if path.exists() else {}
    same = before.get("machine") == figures["machine"]
    found = [
        f"{name}: {before['instructions'][name]} -> {count} instructions"
        for name, count in figures["instructions"].items()
        if same and count > 1.1 * before["instructions"].get(name, count) + 1
    ]
    if not same or not found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1))
    return found


def run(args: argparse.Namespace) -> int:
    table, missing = compare(args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        times, counts = primitives(Path(folder))
    for what, row in table.items():
        plot(what, row)
        ours = row["pihub"]
        ratios = [f"{ours / row['dict']:.1f} x dict"]
        ratios += [f"1/{row[n] / ours:.0f} {n}" for n in ("redis", "memcached") if n in row]
        print(f"{'':10} pihub: {', '.join(ratios)}\n")
    for name, ns in times.items():
        more = f"{counts[name]:6d} instructions" if name in counts else ""
        print(f"{name:16} {ns:8.2f} ns {more}")
    if missing:
        print("not here:", ", ".join(missing))
    figures = {
        "machine": f"{platform.machine()} {platform.python_version()}",
        "python_ns": table,
        "ns": times,
        "instructions": counts,
    }
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1))
    grown = worse(figures, Path.home() / ".cache" / "pihub" / "benchmarks-core.json")
    for line in grown:
        print("slower than this machine's baseline:", line)
    return 1 if grown else 0
