"""The windows that Python cannot hit by luck: the headers in C, yielding inside of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python  # programs in C, no Python in them
HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("points") / "points", "-O2")


def build(program: Path, *more: str) -> Path:
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-function", f"-I{INCLUDE}", *more]
    subprocess.run([*compiler, *flags, "-o", program, HERE / "points.c"], check=True)
    return program


def run(program: Path, what: str) -> list[int]:
    done = subprocess.run([program, what], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[:300]
    return [int(n) for n in done.stdout.split()]


def test_one_leader_and_every_follower_woken(points: Path) -> None:
    led, followed, _ = run(points, "leaders")
    assert led > 1_000
    assert followed > 1_000, "nobody followed: the test raced nothing"


def test_one_probe_a_lease(points: Path) -> None:
    assert run(points, "probes")[2] > 1_000  # the program knows how many leases there were


@pytest.mark.parametrize("what", ["leaders", "probes"])
def test_under_sanitizers(tmp_path: Path, what: str) -> None:
    more = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert max(run(build(tmp_path / "points", *more), what)) >= 1_000
