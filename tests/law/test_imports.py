"""Every module can be imported alone, and importing it has no effects.

A module fails alone, but not after others, for one of two reasons: it stands in a circle of
imports, or it uses a submodule that it does not import itself. The first is a circle in the graph
below; the second needs `import pihub.a` or a package taken by name, which is refused. So one run
over all modules, each before what it needs, stands for a run of each by itself.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = sorted((ROOT / "pihub").rglob("*.py"))
PACKAGES = {module_of(p) for p in PATHS if p.name == "__init__.py"}
TEXTS = {module_of(p): p.read_text() for p in PATHS}


def at_import(nodes: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements that run when a module is imported."""
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_import(ast.iter_child_nodes(node))


def needs(text: str) -> set[str]:
    """The modules of pihub that importing a module of this text imports; the extensions of
    `_core` import nothing above them and are left out. Raises ValueError for an import that
    makes submodules be found which it does not name."""
    found = set()
    for node in at_import([ast.parse(text)]):
        if isinstance(node, ast.Import):
            for name in (one.name for one in node.names):
                if name.startswith("pihub."):
                    raise ValueError(f"import {name}: write from … import …")
        elif node.module is not None and node.module.split(".")[0] == "pihub":
            for one in node.names:
                whole = f"{node.module}.{one.name}"
                if whole in PACKAGES:
                    raise ValueError(f"{whole} is a package: import what is used of it")
                found.add(whole if whole in TEXTS else node.module)
    return {name for name in found if not name.startswith("pihub._core")}


def packages_of(name: str) -> set[str]:
    """Those that the import of a module imports first."""
    parts = name.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


def in_order(texts: Mapping[str, str]) -> list[str]:
    """Each module before all that it needs. Raises CycleError."""
    graph = {}
    for name, text in texts.items():
        direct = needs(text)
        # A package's own modules find it begun, whoever asks for them.
        graph[name] = direct | (set().union(*map(packages_of, direct)) - packages_of(name) - {name})
    return list(TopologicalSorter(graph).static_order())[::-1]


def test_no_imports_go_in_a_circle_and_each_names_what_it_uses() -> None:
    assert set(in_order(TEXTS)) == set(TEXTS)


def test_the_law_has_teeth() -> None:
    assert needs("from pihub.errors import PihubError") == {"pihub.errors"}
    assert needs("from pihub.gateway import admit") == {"pihub.gateway.admit"}
    assert needs("if TYPE_CHECKING:\n    from pihub.app import Hub") == set()
    assert needs("def f():\n    from pihub.app import Hub") == set()
    assert needs("class A:\n    try:\n        from pihub.app import Hub\n    finally: pass")
    for text in ("import pihub.app", "import pihub.app as app", "from pihub import gateway"):
        with pytest.raises(ValueError, match="import"):
            needs(text)
    one, two = "from pihub.one import x", "from pihub.two import x"
    for circle in (
        {"pihub.one": two, "pihub.two": one},
        {"pihub.one": "from pihub.two.inner import x", "pihub.two": one, "pihub.two.inner": ""},
    ):
        with pytest.raises(CycleError):
            in_order(circle)
    assert in_order({"pihub.one": two, "pihub.two": ""}) == ["pihub.one", "pihub.two"]
    inner = {"pihub.two": "from pihub.two.inner import x", "pihub.two.inner": ""}
    assert in_order(inner)[0] == "pihub.two"


CHECK = """
import importlib, os, sys, threading, warnings
warnings.simplefilter("error", DeprecationWarning)
import encodings.idna, asyncio  # what third parties open lazily is not ours
fds = len(os.listdir("/proc/self/fd"))
for name in sys.argv[1].split(","):
    importlib.import_module(name)
    if threading.active_count() != 1:
        sys.exit(name + ": starts a thread")
    if len(os.listdir("/proc/self/fd")) != fds:
        sys.exit(name + ": opens a file descriptor")
"""


def run(modules: Iterable[str], path: Path = ROOT) -> str:
    """What is wrong with importing these, one after the other, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, ",".join(modules)],
        capture_output=True,
        text=True,
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(path)},
        timeout=100,
    )
    return done.stderr[-2000:] if done.returncode else ""


def test_every_module_imports_without_effects() -> None:
    assert run(name for name in in_order(TEXTS) if not name.endswith("__main__")) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from threading import Timer\nTimer(3.0, print).start()", "starts a thread"),
        ("kept = open(__file__)", "file descriptor"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "DeprecationWarning"),
        ("import no_such_module", "no_such_module"),
    ],
    ids=["thread", "file", "deprecated", "missing"],
)
def test_an_effect_is_seen(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "effect.py").write_text(text)
    assert said in run(["effect"], tmp_path)
