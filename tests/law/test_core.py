"""Laws of the core: one concept is one extension, with a stub, a test and one importer."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "pihub" / "_core"
NAMES = sorted(path.stem for path in CORE.glob("*.pyx"))
HEAD = (
    "# cython: language_level=3, binding=False, boundscheck=False, wraparound=False",
    "# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False",
    "# cython: freethreading_compatible=False",
)
TESTED_WITH = {"wire": "edge", "intake": "edge", "way": "lane"}
"""What the edge sends and takes in, and the lane's ways, are tested through them."""
IMPORT = re.compile(r"^\s*(?:from|import)\s+pihub\._core\b", re.MULTILINE)


def test_there_are_extensions() -> None:
    assert {"arena", "edge", "journal", "ring"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_stub_and_a_test_of_its_own(name: str) -> None:
    assert (CORE / f"{name}.pyi").is_file()
    other = TESTED_WITH.get(name, name)
    test = ROOT / "tests" / "core" / f"test_{other}.py"
    assert test.is_file()
    named = rf"^\s*from pihub\._core(\.{other} import|\ import {other}$)"
    assert re.search(named, test.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_built_and_the_one_imported(name: str) -> None:
    module = importlib.import_module(f"pihub._core.{name}")
    assert str(module.__file__).endswith(".so")


def test_each_is_in_the_list_of_what_is_built() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text())
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CORE"
    ]
    assert [sorted(names) for names in listed] == [NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_promises(name: str) -> None:
    lines = (CORE / f"{name}.pyx").read_text().split("\n")
    assert tuple(lines[:3]) == HEAD
    assert lines[3].startswith('"""')
    assert any(line.startswith("Promise   ") for line in lines[3:12])


@pytest.mark.parametrize("header", sorted((CORE / "include").glob("*.h")), ids=lambda p: p.name)
def test_each_header_guards_itself_and_says_what_it_is(header: Path) -> None:
    text = header.read_text()
    guard = header.stem.upper() + "_H"
    assert text.startswith("/* ")
    assert f"#ifndef {guard}\n#define {guard}\n" in text


def test_only_shared_imports_the_core() -> None:
    outside = [p for p in CORE.parent.rglob("*.py") if CORE not in p.parents]
    found = {p.relative_to(CORE.parent).parts[0] for p in outside if IMPORT.search(p.read_text())}
    assert found == {"shared"}
