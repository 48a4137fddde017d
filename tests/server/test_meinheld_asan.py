"""The ported server's greenlet paths under AddressSanitizer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.isolated import meinheld_asan


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(
    not meinheld_asan.runtime_of("libasan.so") and "CI" not in os.environ,
    reason="the compiler has no AddressSanitizer; in CI it must have",
)
def test_no_memory_error() -> None:
    done = subprocess.run(
        [sys.executable, meinheld_asan.__file__, "--requests", "5000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout
    assert "answered=" in done.stdout
