"""Laws on the source text: length, markers, effects at import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "pihub").rglob("*.py"))
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi"}
SOURCES = [p for p in (ROOT / "pihub").rglob("*") if p.suffix in SUFFIXES]
LIMIT = 350
AT_THE_ROOT = {"cli", "server", "demo"}
"""Packages that may read the environment."""


@pytest.mark.parametrize("path", sorted(SOURCES), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_longer_than_a_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LIMIT


def test_no_module_is_called_utils() -> None:
    names = {p.stem for p in SOURCES}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", sorted(SOURCES), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_left_for_later(path: Path) -> None:
    words = r"\b(TO" r"DO|FIX" r"ME|XX" r"X|NotImplemented(?:Error)?)\b"
    assert re.findall(words, path.read_text()) == []


def modules() -> list[str]:
    out = []
    for path in PYTHON:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        out.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return out


CHECK = """
import importlib, os, sys, threading, warnings
warnings.simplefilter("error", DeprecationWarning)
import encodings.idna, asyncio  # what third parties open lazily is not ours
fds = set(os.listdir("/proc/self/fd"))
bad = []
for name in sys.argv[1].split(","):
    for key in [k for k in sys.modules if k == "pihub" or k.startswith("pihub.")]:
        if not k_is_core(key):
            del sys.modules[key]
    before = threading.active_count()
    importlib.import_module(name)
    if threading.active_count() != before:
        bad.append(name + ": starts a thread")
    now = set(os.listdir("/proc/self/fd"))
    if len(now) > len(fds):
        bad.append(name + ": opens a file descriptor")
print("\\n".join(bad))
"""


def test_every_module_imports_alone_and_without_effects() -> None:
    # Each module after a purge of the package's Python modules: an import that only
    # works because another one came first fails here.
    script = "k_is_core = lambda k: k.startswith('pihub._core')\n" + CHECK
    done = subprocess.run(
        [sys.executable, "-c", script, ",".join(modules())],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    "path",
    [p for p in PYTHON if p.relative_to(ROOT).parts[1] not in AT_THE_ROOT],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_the_environment_is_read_at_the_root_only(path: Path) -> None:
    assert not re.search(r"os\.(environ|getenv)", path.read_text())
