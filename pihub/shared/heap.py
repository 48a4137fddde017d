"""What malloc and CPython keep free, in a process that is forked and lives long.

A page is shared with the arbiter until one byte of it is written. So before the first fork, places
where a child would write for no reason are emptied, and holes among the objects that all share are
filled: what a child makes then lies together, in pages of its own.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import sysconfig

SIZES = range(16, 513, 16)
"""Of the blocks that CPython's allocator hands out. Source: Objects/obmalloc.c."""
POOL, HEADER = 16384, 48
"""A pool begins at a multiple of this, with that many bytes of its own (64 bits, since 3.10)."""
FRESH = 16
"""That many blocks in a row, from a pool's first on, were never used: no hole is left."""
MOST = 8192
"""Blocks a size, of which 2,500 are much: with more, this is another allocator, and left alone."""


def before_fork() -> None:
    """Call once, when all is loaded that children share."""
    gc.collect()
    # Each new entry of the cache of attributes takes a reference from a name that stood there.
    clear = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()
    fill_holes()
    trim()
    # What exists now stays shared: the collector must not touch (copy) its pages.
    gc.freeze()


def fill_holes() -> int:
    """Take every free block of the pools that are in use, for good: they are 0.5 MB at most after
    an import of everything. Number of blocks."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return 0
    take = ctypes.pythonapi.PyObject_Malloc
    take.argtypes, take.restype = (ctypes.c_size_t,), ctypes.c_void_p
    taken = 0
    for size in SIZES:
        taken += (found := _fill(take, size))
        if found == MOST:
            break
    return taken


def _fill(take: ctypes._FuncPointer, size: int) -> int:
    before, row = 0, 0
    for number in range(MOST):
        address: int = take(size)
        if row and address == before + size:
            row += 1
        else:
            row = int(address % POOL == HEADER)
        if row == FRESH:
            return number
        before = address
    return MOST


def trim() -> None:
    """Give free pages of malloc's arenas back. About a millisecond; other threads wait for it.

    Source: malloc_trim(3). Other libraries than glibc have no such call.
    """
    give = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give is not None:
        give(0)
