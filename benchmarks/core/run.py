"""`python -m benchmarks core`: every question of this folder, a table, a plot, a baseline.

Contenders of a question take turns in short windows of one run, and each keeps its quickest;
so ratios within a row count. Primitives are also counted in instructions where valgrind is
installed. The baseline of a machine lies in the user's cache folder
(`~/.cache/pihub/benchmarks-core.json`); what takes a tenth more instructions than it is said.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import platform
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
    answers: list[Answer] = []
    for name in QUESTIONS:
        answers.append(importlib.import_module(f"benchmarks.core.test_{name}").measure(args.rounds))
        show(answers[-1])
    machine = f"{platform.machine()} {platform.python_version()}"
    figures = {
        "machine": machine,
        "rows": {f"{t}, {a.unit}": row for a in answers for t, row in a.rows.items()},
        "targets": {t.what: [t.value, t.wanted, t.met] for a in answers for t in a.targets},
        "instructions": {n: c for a in answers for n, c in a.instructions.items()},
    }
    drawn = Path(args.out) / "core.svg"
    plot.write(drawn, machine, answers)
    print(f"\nplot: {drawn}")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1))
    missed = [t for a in answers for t in a.targets if not t.met]
    print(f"{len(missed)} of {sum(len(a.targets) for a in answers)} targets missed")
    grown = worse(figures, Path.home() / ".cache" / "pihub" / "benchmarks-core.json")
    for line in grown:
        print("more than this machine's baseline:", line)
    return 1 if grown else 0
