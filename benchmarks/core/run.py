"""`python -m benchmarks core`: every question of this folder, a table, a plot, a baseline.

Contenders of a question take turns in short windows of one run, and each keeps its quickest;
so ratios within a row count. Primitives are also counted in instructions where valgrind is
installed. Each machine (processor, Python, compiler) has a baseline in the user's cache folder,
`~/.cache/pihub/benchmarks-core/*.json`: the figures of its last run, and the fewest instructions
that each primitive ever took there. What takes a tenth more than that is said.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.core import plot
from benchmarks.core.question import Answer

QUESTIONS = ("get", "set", "two_processes", "wake", "primitives", "scan", "literals", "edge")
WIDTH = 40


def show(answer: Answer) -> None:
    """Bars on a logarithmic scale."""
    print(f"\n{answer.question}")
    for title, row in answer.rows.items():
        lowest = min(row.values())
        for name, value in sorted(row.items(), key=lambda item: item[1]):
            bar = "#" * (1 + round(math.log10(value / lowest) * WIDTH / 4))
            count = answer.instructions.get(name)
            more = "" if count is None else f" {count:5} instructions"
            print(f"{title:22} {name:22} {value:11.2f} {answer.unit}{more} {bar}")
    for target in answer.targets:
        print("  ", target)
    if answer.missing:
        print("   not here:", ", ".join(dict.fromkeys(answer.missing)))


def machine() -> str:
    """What figures of two runs must have in common to be compared."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    named = re.search(r"^(?:model name|Model)\s*: (.+)$", facts, re.MULTILINE)
    compiler = os.environ.get("CC", "cc").split()[-1]
    said = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True)
    processor = named[1] if named else "unknown processor"
    return ", ".join(
        [platform.machine(), processor, f"Python {platform.python_version()}",
         f"{compiler} {said.stdout.strip()}"]
    )  # fmt: skip


def worse(figures: dict[str, Any], folder: Path) -> list[str]:
    """Which instructions grew by a tenth beyond the fewest ever seen on this machine.

    The baseline is brought up to date: this run's figures, and the fewest instructions.
    """
    name = re.sub(r"[^0-9A-Za-z.]+", "-", figures["machine"])
    path = folder / f"{name}.json"
    fewest = json.loads(path.read_text())["instructions"] if path.exists() else {}
    now = figures["instructions"]
    found = [
        f"{what}: {fewest[what]} -> {count} instructions"
        for what, count in now.items()
        if count > 1.1 * fewest.get(what, count) + 1
    ]
    least = {what: min(count, fewest.get(what, count)) for what, count in now.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**figures, "instructions": {**fewest, **least}}, indent=1))
    return found


def run(args: argparse.Namespace) -> int:
    answers: list[Answer] = []
    for name in QUESTIONS:
        answers.append(importlib.import_module(f"benchmarks.core.test_{name}").measure(args.rounds))
        show(answers[-1])
    here = machine()
    figures = {
        "machine": here,
        "rows": {f"{t}, {a.unit}": row for a in answers for t, row in a.rows.items()},
        "targets": {t.what: [t.value, t.wanted, t.met] for a in answers for t in a.targets},
        "instructions": {n: c for a in answers for n, c in a.instructions.items()},
    }
    drawn = Path(args.out) / "core.svg"
    plot.write(drawn, here, answers)
    print(f"\nplot: {drawn}")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1))
    missed = [t for a in answers for t in a.targets if not t.met]
    print(f"{len(missed)} of {sum(len(a.targets) for a in answers)} targets missed")
    grown = worse(figures, Path.home() / ".cache" / "pihub" / "benchmarks-core")
    for line in grown:
        print("more than this machine's baseline:", line)
    return 1 if grown else 0
