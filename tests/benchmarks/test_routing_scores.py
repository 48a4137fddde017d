"""The router's benchmark: RouteLLM's metrics on known rankings, and the whole program."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.routing.metrics import scores

ROOT = Path(__file__).parents[2]


def test_an_oracle_a_fool_and_chance() -> None:
    gains = [1.0] * 20 + [0.0] * 80
    oracle = scores(gains, gains)
    assert oracle.apgr == pytest.approx(0.9)
    assert (oracle.cpt50, oracle.cpt80) == (0.10, 0.16)
    fool = scores([-gain for gain in gains], gains)
    assert fool.apgr == pytest.approx(0.1)
    rng = random.Random(3)
    chance = [scores([rng.random() for _ in gains], gains).apgr for _ in range(300)]
    assert sum(chance) / 300 == pytest.approx(0.5, abs=0.02)


def test_an_oracle_may_beat_the_strong_model() -> None:
    gains = [1.0, 1.0, -1.0]
    assert scores(gains, gains).apgr > 0.8
    assert scores(gains, gains).cpt50 == pytest.approx(1 / 3)


def test_weights_count_as_repetition() -> None:
    ranking, gains = [3.0, 2.0, 1.0], [1.0, 0.0, 1.0]
    twice = scores([3.0, 2.0, 2.0, 1.0], [1.0, 0.0, 0.0, 1.0])
    assert scores(ranking, gains, [1.0, 2.0, 1.0]).apgr == pytest.approx(twice.apgr)


def test_the_interval_holds_the_estimate() -> None:
    rng = random.Random(5)
    gains = [rng.choice((0.0, 0.0, 1.0)) for _ in range(200)]
    found = scores([gain + rng.random() for gain in gains], gains, draws=50)
    assert found.low < found.apgr < found.high


def write(folder: Path, seed: int) -> None:
    """Sums are what the weak model gets wrong."""
    folder.mkdir()
    rng = random.Random(seed)
    for source in ("sums", "talk"):
        with (folder / f"{source}.jsonl").open("w") as out:
            for n in range(120):
                hard = rng.random() < 0.4
                thing = rng.choice(("a cat", "the sea", "my box", "one day"))
                text = f"{source}: add {rng.randrange(99)} and {thing}" if hard else f"say {thing}"
                row = {
                    "id": f"{source}/{n}",
                    "prompt": f"{text} number {rng.randrange(10**6)} {n}",
                    "weak_ok": 0.0 if hard else 1.0,
                    "strong_ok": 1.0,
                }
                out.write(json.dumps(row) + "\n")


def test_trained_on_one_folder_and_scored_on_another(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    write(tmp_path / "two", 2)
    out, weights = tmp_path / "figures.json", tmp_path / "weights"
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.routing", "--data", str(tmp_path / "one"),
            "--score", str(tmp_path / "two"), "--json", str(out), "--write", str(weights),
            "--no-callgrind",
        ],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["prompts"] == 240
    assert figures["mixed"]["pihub (experts)"]["apgr"] > 0.7
    assert figures["mixed"]["random"]["apgr"] == pytest.approx(0.5, abs=0.06)
    assert figures["weights_bytes"] == weights.stat().st_size
    assert "prompt length" in done.stdout

    from pihub.shared.difficulty import load

    assert load(weights).experts == ("sums", "talk")


def test_nested_folds_choose_anew_and_never_see_what_they_score(tmp_path: Path) -> None:
    from benchmarks.routing import nested
    from benchmarks.routing.data import read

    write(tmp_path / "one", 1)
    rows = read(tmp_path / "one")
    found, chosen = nested.nested(rows, 3)
    assert len(found) == len(rows) and len(chosen) == 3
    assert set(chosen) <= set(nested.ALPHAS)
    assert scores(found, [row.gain for row in rows]).apgr > 0.7
    # Without words in common between the folds there is nothing to learn.
    alike = [row.fold(3, 4) for row in rows]
    assert len(set(alike)) < 3 and alike[0] == rows[1].fold(3, 4)


def test_the_nested_figures_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    out = tmp_path / "figures.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.routing", "--data", str(tmp_path / "one"),
            "--nested", "--prefix", "30", "--json", str(out),
        ],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["nested"] is True and figures["prefix"] == 30
    assert len(figures["penalties"]) == 4
    assert "penalties chosen" in done.stdout
