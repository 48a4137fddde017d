# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""GCRA rate limits shared by all processes.

Promise   over any span, all processes together admit exactly what one limiter would.
Layout    | head | ph_limit x rows | (ph_limiter.h); 64 bytes a row.
Writers   hits: anyone, one compare-and-swap. Configuration: the control process.
Cost      one cache line a hit; the clock is the caller's.
Failure   a writer that dies leaves a valid word.
"""
cimport cython
from libc.stdint cimport int64_t, uint64_t

from pihub._core.arena cimport PH_KIND_LIMITER, Arena, ph_head


@cython.final
cdef class Limiter:
    """Limiter(arena, region, rows)"""

    def __cinit__(self, Arena arena not None, str region not None, size_t rows):
        if rows == 0:
            raise ValueError("a limiter needs at least one row")
        self.arena = arena
        self.n_rows = rows
        self.rows = <ph_limit *> arena.open(
            region, PH_KIND_LIMITER, sizeof(ph_head) + rows * sizeof(ph_limit),
            rows, sizeof(ph_limit), 0, 0,
        )

    @staticmethod
    def size_for(size_t rows):
        return sizeof(ph_head) + rows * sizeof(ph_limit)

    cdef ph_limit *at(self, size_t row) except NULL:
        if row >= self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        self.arena.must_write()
        return self.rows + row

    def configure(self, size_t row, uint64_t interval_ns, uint64_t burst):
        if not ph_limit_ok(interval_ns, burst):
            raise ValueError(f"bad limit: one every {interval_ns} ns, {burst} at once")
        ph_limit_set(self.at(row), interval_ns, burst)

    def hit(self, size_t row, uint64_t now_ns, uint64_t cost=1):
        return ph_limit_hit(self.at(row), now_ns, cost)

    def correct(self, size_t row, int64_t delta):
        ph_limit_correct(self.at(row), delta)

    def remaining(self, size_t row, uint64_t now_ns):
        if row >= self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        return ph_limit_remaining(self.rows + row, now_ns)
