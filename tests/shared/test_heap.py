"""Heaps before a fork and after a peak, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", [40, 150, 479])
def test_what_is_made_after_the_filling_lies_in_pages_of_its_own(size: int) -> None:
    """The pages with holes are those that children share."""
    run(f"""
        from pihub.shared.heap import fill_holes
        made = [bytes({size}) for _ in range(6_000)]
        pages = {{id(one) >> 12 for one in made}}
        made = made[::2]
        assert fill_holes() > 3_000
        new = [bytes({size}) for _ in range(1_000)]
        assert len(pages & {{id(one) >> 12 for one in new}}) <= 2
    """)


def test_the_filling_is_bounded_where_another_allocator_runs() -> None:
    code = "from pihub.shared.heap import MOST, fill_holes; assert fill_holes() == MOST"
    environment = {**os.environ, "PYTHONMALLOC": "malloc"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)
    assert done.returncode == 0


def test_a_peak_is_given_back() -> None:
    run("""
        import ctypes, os
        from pihub.shared.heap import trim
        from pihub.shared.process import resident
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
        held = [libc.malloc(40_000) for _ in range(1_000)]
        for one in held:
            ctypes.memset(ctypes.c_void_p(one), 1, 40_000)
        for one in held[:-1]:
            libc.free(one)
        before = resident(os.getpid())
        trim()
        assert before - resident(os.getpid()) > 30_000_000
    """)
