"""install.sh of the archive: what it removes, and what it refuses. Its installation is proved
by `make test-arm`, where there are wheels."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "bundle" / "install.sh"


def install(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), *words], env={**os.environ, "HOME": str(folder)},
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


def installed(prefix: Path) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "pihub").touch()
    (prefix / "pyvenv.cfg").touch()


def test_the_program_goes_and_what_lies_beside_stays(tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    installed(prefix)
    (tmp_path / "pihub.toml").write_text("# mine")
    done = install(tmp_path, "--uninstall", "--prefix", "opt")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"removed: {prefix}" in done.stdout
    assert not prefix.exists()
    assert (tmp_path / "pihub.toml").read_text() == "# mine"


def test_a_folder_that_is_no_installation_is_not_removed(tmp_path: Path) -> None:
    for prefix in (tmp_path, tmp_path / "nothing"):
        done = install(tmp_path, "--uninstall", "--prefix", str(prefix))
        assert done.returncode == 1
        assert "name the folder with --prefix" in done.stderr
    assert tmp_path.is_dir()


def test_help_names_every_option(tmp_path: Path) -> None:
    done = install(tmp_path, "--help")
    assert done.returncode == 0
    for option in ("--service", "--prefix", "--python", "--uninstall"):
        assert option in done.stdout
    assert "set -eu" not in done.stdout
    assert "upgrade" in done.stdout
