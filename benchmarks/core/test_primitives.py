"""What do the core's primitives cost in C, in nanoseconds and instructions?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.core.question import Answer, Target

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
CALLGRIND = ("valgrind", "--tool=callgrind")
LOOP = 20_000
WANTED = {"gcra": 8.0, "breaker_allow": 1.0, "breaker_record": 8.0, "flight": 30.0,
          "histogram": 3.0}  # fmt: skip


def build(folder: Path) -> Path:
    program = folder / "ops"
    words = os.environ.get("CC", "cc").split()
    flags = ["-std=gnu11", "-O2", "-g", "-Wno-unused-function", f"-I{INCLUDE}"]
    subprocess.run([*words, *flags, str(HERE / "ops.c"), "-o", str(program)], check=True)
    return program


def times(program: Path) -> dict[str, float]:
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return {name: float(ns) for name, ns in (line.split() for line in said.splitlines())}


def instructions(program: Path, names: list[str]) -> dict[str, int]:
    """One operation's, the loop's taken off; {} without valgrind."""
    if not shutil.which("valgrind"):
        return {}
    counts = {}
    for name in names:
        out = subprocess.run(
            [*CALLGRIND, f"--callgrind-out-file={program}.cg", program, name],
            capture_output=True, text=True, check=True,
        ).stderr  # fmt: skip
        line = next(line for line in out.splitlines() if "Collected" in line)
        counts[name] = int(line.split(":")[1])
    empty = counts.pop("nothing")
    return {name: round((count - empty) / LOOP) for name, count in counts.items()}


def measure(rounds: int) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        found = times(program)
        for _ in range(rounds - 1):
            found = {name: min(ns, found[name]) for name, ns in times(program).items()}
        counts = instructions(program, list(found))
    targets = [Target(f"{name}, ns", found[name], most) for name, most in WANTED.items()]
    targets.append(
        Target("event push, x a copy of 64 hot bytes", found["event"] / found["memcpy64"], 1.5)
    )
    return Answer(str(__doc__), rows={"in C": found}, targets=targets, instructions=counts)


def test_primitives(benchmark: Any, tmp_path: Path) -> None:
    program = build(tmp_path)
    benchmark.pedantic(lambda: times(program), rounds=1)
