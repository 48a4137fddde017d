"""The pairs that the semantic cache is judged by are what they are said to be."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.semantic import Encoder, main, prompts, reworded, twins
from pihub.demo.harness import Demo
from pihub.domain.sameness import essence

PROMPTS = [
    "What is the largest city of Brazil with 5 miles of beach in 2021?",
    "How can Peter, who met Maria in Spain, walk 12 miles before noon?",
    "Translate the word",
]


def test_twins_differ_in_one_place_and_are_told_apart() -> None:
    made = twins(PROMPTS, 10, random.Random(1))
    assert set(made) == {"number", "year", "unit", "opposite", "name", "negation"}
    for kind, pairs in made.items():
        assert pairs, kind
        for one, two in pairs:
            assert one != two and essence(one) != essence(two), kind
            assert abs(len(one.split()) - len(two.split())) <= 1


def test_rewordings_are_the_same_question() -> None:
    for kind, pairs in reworded(PROMPTS, 10, random.Random(1)).items():
        assert pairs, kind
        assert all(one != two and essence(one) == essence(two) for one, two in pairs), kind


def test_the_figures_of_an_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"prompt": text}) for text in (*PROMPTS, PROMPTS[0])]
    (tmp_path / "some.jsonl").write_text("\n".join(lines))
    assert prompts(tmp_path, 1000) == sorted(PROMPTS)
    assert prompts(tmp_path, 20) == PROMPTS[2:]
    with Demo() as demo:
        encoder = Encoder(demo.ollama, "nomic-embed-text")
        encoder.learn(PROMPTS)
        assert encoder.near(PROMPTS[0], PROMPTS[0]) == pytest.approx(1)
        assert encoder.near(PROMPTS[0], PROMPTS[1]) < 0.9
        monkeypatch.setattr("sys.argv", [
            "semantic", "--data", str(tmp_path), "--endpoint", demo.ollama,
            "--model", "nomic-embed-text", "--json", str(tmp_path / "out.json"),
        ])  # fmt: skip
        assert main() == 0
    assert "twins, negation" in capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())
    unit = found["twins, unit"]
    assert unit["by both"]["0.5"] == 0 < unit["by similarity"]["0.5"]
    assert found["reworded, asked"]["guard"] == found["reworded, asked"]["pairs"] > 0
