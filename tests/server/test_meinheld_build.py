"""The build of the port: pinned, asserted edit by edit, done once for each content."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from meinheld import server

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "deploy" / "meinheld" / "build.py"
SDIST = ROOT / "build" / "meinheld" / "meinheld-1.0.2.tar.gz"


def run(*args: str, script: Path = BUILD) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_the_installed_server_is_the_port() -> None:
    assert server.PIHUB_PORT == 1
    assert importlib.metadata.version("meinheld") == "1.0.2+pihub.1"
    assert importlib.metadata.requires("meinheld") == ["greenlet>=3"]
    for unsafe in ("sleep", "_suspend_client", "_resume_client"):
        assert not hasattr(server, unsafe)


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    if not SDIST.exists():
        assert run("--out", str(tmp_path / "wheels"), "--force").returncode == 0
    return SDIST


def copy_of_the_script(tmp_path: Path) -> Path:
    copy = tmp_path / "copy" / "deploy" / "meinheld"
    shutil.copytree(BUILD.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shared = Path("pihub", "_core", "include", "ph_direct.h")
    (copy.parents[1] / shared).parent.mkdir(parents=True)
    shutil.copy2(BUILD.parents[2] / shared, copy.parents[1] / shared)
    return copy


@pytest.mark.slow
def test_a_wheel_is_built_once(tmp_path: Path, sdist: Path) -> None:
    args = ("--out", str(tmp_path), "--sdist", str(sdist))
    first = run(*args)
    assert first.returncode == 0, first.stderr
    wheel = Path(first.stdout.strip())
    assert wheel.name.startswith("meinheld-1.0.2+pihub.1-cp")
    made = wheel.stat().st_mtime_ns
    again = run(*args)
    assert again.stdout == first.stdout
    assert wheel.stat().st_mtime_ns == made


def test_another_sdist_is_refused(tmp_path: Path, sdist: Path) -> None:
    forged = tmp_path / sdist.name
    forged.write_bytes(sdist.read_bytes() + b"\0")
    done = run("--out", str(tmp_path), "--sdist", str(forged))
    assert done.returncode == 1
    assert "sha256" in done.stderr
    assert not list(tmp_path.glob("*.whl"))


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("python_api.py", '"PyObject_Call("', '"PyObject_Call(", 2'),
        ("server.py", '"static void fast_notify(void) {', '"static void slow_notify(void) {'),
        ("http.py", "        440,\n", "        441,\n"),
    ],
)
def test_an_edit_that_does_not_fit_stops_the_build(
    tmp_path: Path, sdist: Path, module: str, old: str, new: str
) -> None:
    copy = copy_of_the_script(tmp_path)
    edits = copy / "edits" / module
    text = edits.read_text()
    assert text.count(old) == 1
    edits.write_text(text.replace(old, new))
    out = tmp_path / "out"
    done = run("--out", str(out), "--sdist", str(sdist), script=copy / "build.py")
    assert done.returncode == 1
    assert "expected" in done.stderr
    assert not list(out.glob("*.whl"))


def test_nothing_of_upstream_is_kept_here(sdist: Path) -> None:
    # Only edits and files of our own lie in the repository: no run of upstream's lines.
    with tarfile.open(sdist) as archive:
        theirs = {
            line.strip()
            for member in archive.getmembers()
            if member.name.endswith((".c", ".h"))
            for line in (archive.extractfile(member) or []).read().decode().splitlines()  # type: ignore[union-attr]
            if len(line.strip()) > 30
        }
    for file in (BUILD.parent / "src").iterdir():
        longest = run_length = 0
        for line in file.read_text().splitlines():
            run_length = run_length + 1 if line.strip() in theirs else 0
            longest = max(longest, run_length)
        assert longest < 8, file.name
