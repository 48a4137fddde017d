"""The look at a short value in one pass (ph_plain.h): what it calls plain is so by the scalar
engines, it recognises nearly all that are, and reads nothing behind them. Here and for ARM."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pihub.security.scanner.keywords import FILE

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
FLAGS = ("-std=gnu11", "-O2", "-fsigned-char", "-fno-strict-aliasing", "-w")
CROSS, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"


def agree(program: Path, compiler: list[str], runner: list[str]) -> None:
    """Raises AssertionError where an engine says something else, or misses more than a tenth."""
    subprocess.run([*compiler, *FLAGS, f"-I{INCLUDE}", HERE / "plain.c", "-o", program], check=True)
    done = subprocess.run(
        [*runner, program, FILE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    plain, could = map(int, done.stdout.split())
    assert could > 50_000
    assert could * 0.9 < plain <= could


@pytest.mark.native
def test_short_values_on_this_machine(tmp_path: Path) -> None:
    agree(tmp_path / "plain", os.environ.get("CC", "cc").split(), [])


@pytest.mark.native
def test_short_values_for_arm(tmp_path: Path) -> None:
    if not (shutil.which(CROSS) and shutil.which(QEMU)):
        reason = f"needs {CROSS} and {QEMU} (Debian: gcc-aarch64-linux-gnu, qemu-user-static)"
        if os.environ.get("CI"):  # there they are installed
            pytest.fail(reason)
        pytest.skip(reason)
    agree(
        tmp_path / "plain",
        [CROSS, "-march=armv8-a", "-static"],
        [QEMU, "-cpu", "cortex-a53"],
    )
