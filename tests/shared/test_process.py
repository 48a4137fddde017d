"""Another process's numbers, beside psutil's."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from pihub.shared.process import age, resident

NAMED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"a) (9 b")
print(flush=True)
sys.stdin.read()
"""


def test_as_psutil_says_whatever_its_name() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        known = psutil.Process(process.pid)
        assert known.name() == "a) (9 b"
        assert resident(process.pid) == pytest.approx(known.memory_info().rss, rel=0.2)
        assert age(process.pid) == pytest.approx(time.time() - known.create_time(), abs=2.0)
    assert age(process.pid) is resident(process.pid) is None
