"""Laws on the source text: length, markers, the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "pihub").rglob("*.py"))
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi"}
SOURCES = [p for p in (ROOT / "pihub").rglob("*") if p.suffix in SUFFIXES]
HEADERS = sorted((ROOT / "pihub" / "_core" / "include").glob("*.h"))
"""The core's C, ours: what is vendored lies a folder deeper."""
LIMIT = 350
AT_THE_ROOT = {"cli", "server", "demo"}
"""Packages that may read the environment."""


def offenders(files: Iterable[Path], wrong: Callable[[str], object]) -> list[str]:
    """Those whose text is wrong, with what is."""
    found = ((path, wrong(path.read_text())) for path in sorted(files))
    return [f"{path.relative_to(ROOT)}: {what}" for path, what in found if what]


def too_long(text: str) -> int:
    lines = len(text.splitlines())
    return lines if lines > LIMIT else 0


def test_no_file_is_longer_than_a_sitting() -> None:
    assert HEADERS
    assert offenders([*SOURCES, *HEADERS], too_long) == []


def test_no_module_is_called_utils() -> None:
    names = {p.stem for p in SOURCES}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|NotImplemented(?:Error)?)\b")


def test_nothing_is_left_for_later() -> None:
    assert offenders([*SOURCES, *HEADERS], LATER.findall) == []


def test_the_environment_is_read_at_the_root_only() -> None:
    inner = [p for p in PYTHON if p.relative_to(ROOT).parts[1] not in AT_THE_ROOT]
    assert offenders(inner, re.compile(r"os\.(?:environ|getenv)").findall) == []


def test_the_laws_on_text_have_teeth() -> None:
    assert too_long("\n" * (LIMIT + 1)) and not too_long("\n" * LIMIT)
    assert LATER.findall("# FIX" "ME: later") and not LATER.findall("# fixed")
    assert offenders([ROOT / "setup.py"], lambda _: "everything") == ["setup.py: everything"]
