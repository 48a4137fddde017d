"""The benchmark of prose: what counts as a sentence, which of many are taken, what it prints."""

from __future__ import annotations

import gzip
import sys
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.scanner import prose

HONEST = "Two made-up words stand in this sentence of ours."
ATTACK = "This is one made-up sentence that ends with <script>alert(5)</script> as code."


def test_sentences_are_unwrapped_and_listings_are_none() -> None:
    text = """\
* The first of them was wrapped
  by its writer at forty characters. The second stands
  behind it, does it not?
* Too short, this.

Sessions as >>> made(up) are listings, no sentences.

no capital begins this one, so it is none.

A heading of five words without a stop
"""
    assert list(prose.sentences(text)) == [
        "The first of them was wrapped by its writer at forty characters.",
        "The second stands behind it, does it not?",
    ]
    long = "A " + "made-up word " * 50 + "ends."
    assert len(long) > 600
    assert list(prose.sentences(long)) == []


def test_a_manual_is_read_without_its_marks() -> None:
    text = (
        ".TH MADEUP 1\n.SH NAME\nThe option \\fB\\-\\-made\\-up\\fR takes\n.B one value\n"
        "and prints \\*(C`a\\*(C' in \\s-1CAPITALS\\s0.\n.PP\n'\\\" a comment\nThe end\\&.\n"
    )
    assert prose.manual(text).split("\n")[2:5] == [
        "The option --made-up takes", "one value", "and prints `a' in CAPITALS.",
    ]  # fmt: skip
    assert "comment" not in prose.manual(text)
    assert "TH" not in prose.manual(text)


def test_docstrings_are_those_of_what_can_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        f'"""{HONEST}"""\n\n\nclass A:\n    """Of the class\n    this is the one sentence."""\n\n'
        '    def f(self):\n        """And of its method\n        this one, too."""\n'
        '        return "This is no docstring but a value."\n'
    )
    (tmp_path / "b.py").write_text("def broken(:\n")
    (tmp_path / "c.txt").write_text(HONEST)
    found = list(prose.docstrings(tmp_path, "**/*.py"))
    assert sorted(found) == [
        "And of its method this one, too.", "Of the class this is the one sentence.", HONEST,
    ]  # fmt: skip


def test_packed_files_are_read_and_missing_ones_are_empty(tmp_path: Path) -> None:
    packed = tmp_path / "changelog.gz"
    packed.write_bytes(gzip.compress(HONEST.encode() + b"\xff"))
    assert prose.read(packed) == HONEST + "\ufffd"
    assert prose.read(tmp_path / "none") == ""


def test_the_choice_among_many_is_always_the_same() -> None:
    many = [f"This is the made-up sentence number {n}." for n in range(50)]
    assert prose.some(many, 5) == prose.some(reversed(many), 5)
    assert len(set(prose.some(many, 5))) == 5
    assert prose.some(many, 5) != many[:5]


class Points:
    """A hub whose scanner gives each sentence the points that it names."""

    def __init__(self) -> None:
        self.core = self

    def value(self, text: bytes, place: str, encoded: bool) -> tuple[int, str, str] | None:
        assert (place, encoded) == ("form", False)
        points = int(text.split()[-1].rstrip(b"."))
        return (points, "made", "up") if points else None


def test_the_program_counts_from_the_threshold_of_forms_and_three_quarters_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"The made-up sentence has points of {n}." for n in (0, 44, 45, 59, 60, 60, 100)]
    monkeypatch.setattr(prose, "Hub", Points)
    monkeypatch.setattr(prose, "SOURCES", {"made up": lambda: texts, "nothing": list})
    monkeypatch.setattr(sys, "argv", ["prose"])
    assert prose.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "made up                       6 sentences, refused 33.333 %, noted 66.667 %",
        "nothing                       0 sentences, refused  0.000 %, noted  0.000 %",
    ]
    monkeypatch.setattr(sys, "argv", ["prose", "--missed", "made up"])
    assert prose.main() == 0
    *listed, last = capsys.readouterr().out.splitlines()
    assert sorted(listed) == [
        f"({n}, 'made', 'up')\t{t}" for n, t in ((100, texts[6]), (60, texts[5]))
    ]
    assert last.startswith("made up ")


def test_it_asks_the_hub_s_own_scanner(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prose, "SOURCES", {"made up": lambda: [HONEST, ATTACK]})
    monkeypatch.setattr(sys, "argv", ["prose"])
    assert prose.main() == 0
    assert "2 sentences, refused 50.000 %, noted 50.000 %" in capsys.readouterr().out


def test_each_source_is_a_folder_of_this_machine() -> None:
    """Those of Python are on every machine."""
    some = list(islice(prose.SOURCES["docstrings of Python"](), 3))
    assert len(some) == 3
    assert all(one[0].isupper() and len(one.split()) >= 5 for one in some)
