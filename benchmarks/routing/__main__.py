"""`python -m benchmarks.routing --data DIR [--score DIR2] [--json FILE] [--write FILE]`

Without --score: cross-validated on DIR. With it: trained on DIR, scored on DIR2, less the
prompts that DIR holds word for word.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.routing.data import Row, read
from benchmarks.routing.metrics import Scores, mean, scores
from benchmarks.routing.nested import nested
from benchmarks.routing.train import Trainer, finished
from pihub.shared.difficulty import Difficulty

FOLDS = 4
SEEDS = 20
DRAWS = 200
PUBLISHED = {
    # RouteLLM (arXiv 2406.18665), tables 1 to 3: APGR, CPT 50 %, CPT 80 % of the best and of
    # the plainest router; strong GPT-4-1106, weak Mixtral-8x7B.
    "routellm_mtbench": (
        ("paper: matrix factorisation, with judge", 0.802, 13.40, 31.31),
        ("paper: BERT, with judge", 0.751, 19.58, 34.02),
        ("paper: matrix factorisation, arena only", 0.580, 25.32, 74.26),
    ),
    "routellm_mmlu": (
        ("paper: SW ranking, with gold labels", 0.603, 35.40, 71.55),
        ("paper: BERT, with gold labels", 0.572, 41.30, 72.20),
        ("paper: matrix factorisation, arena only", 0.524, 45.00, 76.86),
    ),
    "routellm_gsm8k": (
        ("paper: causal LLM, with judge", 0.622, 33.64, 63.26),
        ("paper: BERT, with judge", 0.531, 44.76, 79.09),
        ("paper: SW ranking, arena only", 0.475, 54.43, 82.11),
    ),
}


def predictions(
    train: Sequence[Row], score: Sequence[Row], crossed: bool
) -> tuple[list[float], list[float]]:
    """(one ridge a source, experts) for each row of `score`."""
    alone, experts = [0.0] * len(score), [0.0] * len(score)
    trainer = Trainer([*train, *score] if not crossed else train)
    for fold in range(FOLDS if crossed else 1):
        if crossed:
            folds = [row.fold(FOLDS) for row in train]
            part = [i for i, f in enumerate(folds) if f != fold]
            out = [(i, i) for i, f in enumerate(folds) if f == fold]
        else:
            part = list(range(len(train)))
            out = [(len(train) + i, i) for i in range(len(score))]
        model = Difficulty(*trainer.experts(part))  # type: ignore[arg-type]
        for source in sorted({score[j].source for _, j in out}):
            own = [i for i in part if train[i].source == source]
            here = [(i, j) for i, j in out if score[j].source == source]
            found = trainer.predict(trainer.head(own), [i for i, _ in here]) if own else []
            for (_, j), value in zip(here, found, strict=bool(own)):
                alone[j] = value
        for _, j in out:
            experts[j] = model.score(score[j].text)
    return alone, experts


def judge(
    rows: Sequence[Row], alone: Sequence[float], experts: Sequence[float]
) -> dict[str, Scores]:
    """Every router on these rows."""
    gains = [row.gain for row in rows]
    return {
        "random": _random(gains, None),
        "prompt length": scores([len(row.text) for row in rows], gains),
        "one ridge a source": scores(alone, gains, draws=DRAWS),
        "pihub (experts)": scores(experts, gains, draws=DRAWS),
        "oracle": scores(gains, gains),
    }


def mixed(
    rows: Sequence[Row], alone: Sequence[float], experts: Sequence[float]
) -> dict[str, Scores]:
    """All sources as one stream, each with the same weight."""
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    for row in rows:
        counts[row.source] = counts.get(row.source, 0) + 1
        sums[row.source] = sums.get(row.source, 0.0) + row.gain
    weights = [1 / counts[row.source] for row in rows]
    gains = [row.gain for row in rows]
    return {
        "random": _random(gains, weights),
        "prompt length": scores([len(row.text) for row in rows], gains, weights),
        "mean gain of the source": scores(
            [sums[row.source] / counts[row.source] for row in rows], gains, weights
        ),
        "one ridge a source": scores(alone, gains, weights, DRAWS),
        "pihub (experts)": scores(experts, gains, weights, DRAWS),
        "oracle": scores(gains, gains, weights),
    }


def _random(gains: Sequence[float], weights: Sequence[float] | None) -> Scores:
    found = []
    for seed in range(SEEDS):
        rng = random.Random(seed)
        found.append(scores([rng.random() for _ in gains], gains, weights))
    return mean(found)


PROGRAM = """
import sys
from pihub.shared.difficulty import load
from benchmarks.routing.data import read
from pathlib import Path
model = load(Path(sys.argv[1]))
rows = read(Path(sys.argv[2]))
texts = [row.text for row in rows[:: max(1, len(rows) // 100)]][:100]
assert texts
texts = [texts[n % len(texts)] for n in range(100)]
for _ in range(int(sys.argv[3])):
    for text in texts:
        model.score(text)
"""


def instructions(weights: bytes, folder: Path) -> float | None:
    """By callgrind, a decision of 100 prompts, by the difference of two runs; None without
    valgrind."""
    if shutil.which("valgrind") is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "weights")
        path.write_bytes(weights)
        counts = [_count(place, [str(path), str(folder), str(n)]) for n in (1, 3)]
    return (counts[1] - counts[0]) / 200


def _count(place: str, words: list[str]) -> int:
    out = Path(place, "callgrind")
    subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable, "-c",
         PROGRAM, *words],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    for line in out.read_text().splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise SystemExit("callgrind gave no total")


def show(name: str, count: int, table: dict[str, Scores]) -> None:
    print(f"\n{name} ({count} prompts)")
    print(f"  {'router':42} {'APGR':>6} {'CPT 50%':>8} {'CPT 80%':>8}   95% of APGR")
    for router, one in table.items():
        span = f"{one.low:.3f} - {one.high:.3f}" if one.high else ""
        print(f"  {router:42} {one.apgr:6.3f} {one.cpt50:8.1%} {one.cpt80:8.1%}   {span}")
    for router, apgr, cpt50, cpt80 in PUBLISHED.get(name, ()):
        print(f"  {router:42} {apgr:6.3f} {cpt50 / 100:8.1%} {cpt80 / 100:8.1%}")


def honest(rows: Sequence[Row], prefix: int, out: Path | None) -> int:
    """Prints, and writes, the figures of nested cross-validation."""
    found, chosen = nested(rows, FOLDS, prefix)
    per: dict[str, dict[str, Scores]] = {}
    for source in sorted({row.source for row in rows}):
        at = [i for i, row in enumerate(rows) if row.source == source]
        gains = [rows[i].gain for i in at]
        per[source] = {"pihub, nested": scores([found[i] for i in at], gains, draws=DRAWS)}
        show(source, len(at), per[source])
    counts = {source: sum(row.source == source for row in rows) for source in per}
    weights = [1 / counts[row.source] for row in rows]
    whole = {"pihub, nested": scores(found, [row.gain for row in rows], weights, DRAWS)}
    show("all sources, equally weighted", len(rows), whole)
    print(f"penalties chosen: {', '.join(f'{alpha:g}' for alpha in chosen)}")
    if out:
        report = {"nested": True, "prefix": prefix, "penalties": chosen, "prompts": len(rows)}
        told = {
            "sources": {s: {n: asdict(o) for n, o in t.items()} for s, t in per.items()},
            "mixed": {n: asdict(o) for n, o in whole.items()},
        }
        out.write_text(json.dumps(report | told, indent=1) + "\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of *.jsonl to train on")
    parser.add_argument("--score", type=Path, help="folder of *.jsonl to score")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", type=Path, help="write weights trained on all of --data here")
    parser.add_argument("--sources", help="names of sources, by commas; default: all")
    parser.add_argument(
        "--nested", action="store_true", help="choose the penalty anew in each fold"
    )
    parser.add_argument(
        "--prefix", type=int, default=0, metavar="N", help="with --nested: folds by N characters"
    )
    parser.add_argument("--no-callgrind", action="store_true")
    args = parser.parse_args()
    train = read(args.data)
    if args.sources:
        wanted = args.sources.split(",")
        train = [row for row in train if row.source in wanted]
    if args.score:
        known = {row.text for row in train}
        every = read(args.score)
        rows = [row for row in every if row.text not in known]
        print(
            f"trained on {len(train)}, scored on {len(rows)} prompts "
            f"({len(every) - len(rows)} left out: word for word in the training half)"
        )
    else:
        rows = list(train)
        print(f"cross-validated in {FOLDS} folds on {len(rows)} prompts")
    if args.nested:
        return honest(train, args.prefix, args.json)
    alone, experts = predictions(train, rows, crossed=args.score is None)
    report: dict[str, object] = {"prompts": len(rows), "crossed": args.score is None}
    per: dict[str, object] = {}
    for source in sorted({row.source for row in rows}):
        at = [i for i, row in enumerate(rows) if row.source == source]
        part = [rows[i] for i in at]
        table = judge(part, [alone[i] for i in at], [experts[i] for i in at])
        show(source, len(part), table)
        per[source] = {name: asdict(one) for name, one in table.items()}
    table = mixed(rows, alone, experts)
    show("all sources, equally weighted", len(rows), table)
    report["sources"], report["mixed"] = per, {n: asdict(one) for n, one in table.items()}
    weights = finished(Trainer(train), list(range(len(train))))
    report["weights_bytes"] = len(weights)
    print(f"\nweights: {len(weights)} bytes")
    if not args.no_callgrind:
        count = instructions(weights, args.data)
        report["instructions_per_decision"] = count
        words = "valgrind is not installed" if count is None else f"{count:,.0f}"
        print(f"instructions a decision (callgrind): {words}")
    if args.write:
        args.write.write_bytes(weights)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
