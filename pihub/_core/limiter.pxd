"""GCRA rows: the C face, for the edge."""
from libc.stdint cimport int64_t, uint64_t

from pihub._core.arena cimport Arena

cdef extern from "ph_limiter.h" nogil:
    int64_t PH_LIMIT_NEVER

    ctypedef struct ph_limit:
        pass

    void ph_limit_set(ph_limit *row, uint64_t interval, uint64_t burst)
    int64_t ph_limit_hit(ph_limit *row, uint64_t now, uint64_t cost)
    void ph_limit_correct(ph_limit *row, int64_t delta)
    int64_t ph_limit_remaining(const ph_limit *row, uint64_t now)
    int ph_limit_ok(uint64_t interval, uint64_t burst)


cdef class Limiter:
    cdef Arena arena
    cdef ph_limit *rows
    cdef readonly size_t n_rows

    cdef ph_limit *at(self, size_t row) except NULL
