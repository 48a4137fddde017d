"""Real processes for the race tests: fork, run, collect, kill."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLOWNESS = float(os.environ.get("PIHUB_TEST_SLOWNESS", "1"))
"""How many times slower than a release build this one is (deploy/asan.sh says so)."""


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child, which ends by os._exit: 0, or 1 after an exception."""
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def wait(pids: list[int], seconds: float = 60.0) -> None:
    """All children ended well within the time; else they are killed and this fails."""
    seconds *= SLOWNESS
    deadline = time.monotonic() + seconds
    left, bad = set(pids), []
    while left and time.monotonic() < deadline:
        for pid in list(left):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                left.discard(pid)
                if status:
                    bad.append((pid, status))
        time.sleep(0.002)
    for pid in left:
        kill(pid)
    assert not left, f"still running after {seconds} s: {left}"
    assert not bad, f"(pid, status) of failed children: {bad}"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def running(*works: Callable[[], None]) -> Iterator[list[int]]:
    """Endless children, killed at the end of the block."""
    pids = [fork(work) for work in works]
    try:
        yield pids
    finally:
        for pid in pids:
            kill(pid)


def rounds(least: int, proven: Callable[[], bool], seconds: float = 60.0) -> Iterator[int]:
    """So many, and on until it is `proven` that the others were in the race: on a busy machine
    they may not have had a turn yet."""
    yield from range(least)
    number, deadline = least, time.monotonic() + seconds * SLOWNESS
    while not proven():
        assert time.monotonic() < deadline, "the others had no turn: nothing was raced"
        yield number
        number += 1


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.0005)
