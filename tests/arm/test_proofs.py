"""Proofs side by side: all are run, each is told whole, and failures are named."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from arm.proofs import Failed, Proof, run


def python(name: str, code: str) -> Proof:
    return Proof("tests", name, lambda: [sys.executable, "-c", code])


def test_all_are_run_and_the_failed_ones_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proofs = [
        python("one", "raise SystemExit(3)"),
        python("two", "print('said', flush=True)"),
        python("three", "import sys; sys.exit('broken')"),
    ]
    with pytest.raises(Failed, match=r"^one; three$"):
        run(proofs, 1, tmp_path, 60)
    told = capsys.readouterr().out
    assert re.findall(r"== (\w+): (\w+) in \d+ s", told) == [
        ("one", "FAILED"), ("two", "passed"), ("three", "FAILED"),
    ]  # fmt: skip
    assert "== two\nsaid\n== two: passed" in told
    assert "broken" in told


def test_two_at_a_time_meet(tmp_path: Path) -> None:
    meet = (
        "import pathlib, sys, time\n"
        "pathlib.Path({mine!r}).touch()\n"
        "end = time.monotonic() + 60\n"
        "while not pathlib.Path({other!r}).exists() and time.monotonic() < end: time.sleep(0.01)\n"
        "sys.exit(not pathlib.Path({other!r}).exists())"
    )
    both = [("a", "b"), ("b", "a")]
    proofs = [python(mine, meet.format(mine=mine, other=other)) for mine, other in both]
    run(proofs, 2, tmp_path, 90)


def test_what_does_not_end_has_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endless = python("endless", "import time\nprint('begun', flush=True)\ntime.sleep(600)")
    with pytest.raises(Failed, match="endless"):
        run([endless], 1, tmp_path, 3)
    assert "begun\n== endless: FAILED, not ended in " in capsys.readouterr().out
