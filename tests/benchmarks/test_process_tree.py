"""Processes and threads that end while they are looked at do not end a benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.gateway.load import cpu_seconds, told, tree


def test_threads_may_end_meanwhile() -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            threads = [threading.Thread(target=int) for _ in range(40)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert os.getpid() in tree(os.getpid())
    finally:
        stop.set()
        worker.join()


def test_an_ended_process_costs_nothing_more() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert told(Path(f"/proc/{child.pid}/stat")) == ""
    assert cpu_seconds({child.pid}) == 0
    assert cpu_seconds({os.getpid()}) > 0
    assert tree(child.pid) == {child.pid}
