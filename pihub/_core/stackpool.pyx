# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""A pool for CPython's 16 KiB data-stack chunks (see include/ph_stackpool.h).

Promise   a greenlet's first chunk costs no mmap; blocks of other sizes go through untouched.
Cost      8 MiB a process at most: 512 chunks, its high-water mark only.
"""

from libc.stdint cimport uint64_t


cdef extern from "ph_stackpool.h":
    ctypedef struct ph_stackpool:
        size_t held
        uint64_t served
        uint64_t passed
    int ph_stackpool_install(ph_stackpool *pool, size_t limit)


# The allocator's context must outlive every block, that is the process; never freed.
cdef ph_stackpool pool


def install(size_t blocks=512):
    return ph_stackpool_install(&pool, blocks) != 0


def stats():
    return pool.held, pool.served, pool.passed
