"""Builds pihub._core: one extension a concept. Metadata lives in pyproject.toml.

PIHUB_BUILD   release (default), debug, trace (coverage of .pyx), asan, or none: no extension,
              for an editable installation whose extensions are built in place already
PIHUB_ONLY    names, comma-separated: build only these (default: all)
PIHUB_SYMBOLS 1: keep the symbol table (wheels are read by function, then stripped)
PIHUB_STRICT  1: warnings are errors, and so is a performance hint of Cython
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
from arm.flags import flags

CORE = (
    "arena", "counters", "board", "names", "ring", "hashing", "histogram", "keytable",
    "cache", "inflight", "limiter", "breaker", "matcher", "wire", "journal", "direct", "edge",
    "stackpool", "jsonscan", "httphead", "budget", "streams",
    "difficulty", "ridge", "lane", "way", "intake",
    "queue", "speeds", "scanner", "reuse",
)  # fmt: skip
FOLDER = Path("pihub", "_core")
WARN = ["-Wall", "-Wextra", "-Wsign-compare", "-Werror=implicit-function-declaration"]
# Cython's own C makes noise that says nothing about ours.
QUIET = ["-Wno-unused-parameter", "-Wno-unused-function", "-Wno-missing-field-initializers"]

MODE = os.environ.get("PIHUB_BUILD", "release")
STRICT = os.environ.get("PIHUB_STRICT") == "1"
ONLY = tuple(filter(None, os.environ.get("PIHUB_ONLY", "").replace(" ", "").split(",")))


class BuildPy(build_py):
    """Leaves the generated .c (and tests, headers) out of wheels."""

    def find_data_files(self, package: str, src_dir: str) -> list[str]:
        files = super().find_data_files(package, src_dir)
        return [f for f in files if not f.endswith((".c", ".h", ".pyx", ".pxd"))]


def mode_changed() -> bool:
    """Objects of another mode are not reused."""
    stamp = ROOT / "build" / "mode"
    if stamp.exists() and stamp.read_text() == MODE:
        return False
    changed = stamp.exists() or MODE != "release"
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(MODE)
    return changed


def extensions() -> list[Extension]:
    if MODE == "none":
        return []
    unknown = [name for name in ONLY if name not in CORE]
    if unknown:
        raise SystemExit(f"PIHUB_ONLY: no extension named {', '.join(unknown)}")
    compile_args, link_args = flags(MODE)
    return [
        Extension(
            f"pihub._core.{name}",
            [str(FOLDER / f"{name}.pyx")],
            include_dirs=[str(FOLDER / "include")],
            extra_compile_args=[*compile_args, *WARN, *QUIET, *(["-Werror"] if STRICT else [])],
            extra_link_args=link_args,
            depends=[str(p) for g in ("h", "c") for p in FOLDER.glob(f"include/**/*.{g}")],
        )
        for name in (ONLY or CORE)
    ]


class BuildExt(build_ext):
    """Runs Cython when extensions are really built, not for metadata or an sdist."""

    def run(self) -> None:
        self.force = self.force or mode_changed()
        log = io.StringIO()
        try:
            with contextlib.redirect_stderr(log):
                built = cythonize(
                    list(self.extensions),
                    force=self.force or STRICT,
                    compiler_directives={"language_level": 3, "linetrace": MODE == "trace"},
                )
        finally:
            print(log.getvalue(), end="", file=sys.stderr)
        if STRICT and "performance hint" in log.getvalue():
            raise SystemExit("PIHUB_STRICT: Cython gave a performance hint (see above)")
        sources = {ext.name: ext.sources for ext in built}
        for ext in self.extensions:
            ext.sources = sources[ext.name]
        super().run()


setup(ext_modules=extensions(), cmdclass={"build_py": BuildPy, "build_ext": BuildExt})
