# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Per-process rows of counters, summed on read.

Promise   an add never blocks, never fails, is never lost, also if the process is killed.
Layout    | ph_head | row 0: columns x 8, padded to 128 | row 1 | ... |
Writers   one process a row (its slot); the arbiter clears the row of a dead one.
Readers   anyone; relaxed loads, so two columns may be an instant apart.
Cost      a load and a store on a line of one's own (0.3 ns in C).
Failure   none: each cell is whole after each instruction.
"""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_COUNTERS, PH_LINE, Arena
from pihub._core.atomics cimport ph_load_rlx, ph_store_rlx


@cython.final
cdef class Counters:
    """Counters(arena, region, rows, columns); RAM: rows x columns x 8, padded to 128 a row."""

    def __cinit__(self, Arena arena not None, str region not None, uint32_t rows, uint32_t columns):
        if rows < 1 or columns < 1:
            raise ValueError("at least one row and one column")
        need = Counters.size_for(rows, columns)
        self.c.base = arena.open(region, PH_KIND_COUNTERS, need, rows, columns, 0, 0)
        self.c.stride = ph_counters_stride(columns)
        self.c.rows = rows
        self.c.columns = columns
        self._arena = arena

    @staticmethod
    def size_for(uint32_t rows, uint32_t columns):
        """Bytes of a region for so many rows and columns."""
        return PH_LINE + rows * ph_counters_stride(columns)

    cdef int cell(self, uint32_t row, uint32_t column) except -1:
        if row >= self.c.rows or column >= self.c.columns:
            raise IndexError(f"counter [{row}, {column}] of [{self.c.rows}, {self.c.columns}]")
        return 0

    def add(self, uint32_t row, uint32_t column, int64_t n):
        """Only the row's owner writes; `n` may be negative (gauges)."""
        self.cell(row, column)
        self._arena.must_write()
        ph_counter_add(&self.c, row, column, n)

    def set(self, uint32_t row, uint32_t column, int64_t value):
        """Only the row's owner writes."""
        self.cell(row, column)
        self._arena.must_write()
        ph_store_rlx(ph_counter_at(&self.c, row, column), <uint64_t> value)

    def get(self, uint32_t row, uint32_t column):
        """One row's value."""
        self.cell(row, column)
        return <int64_t> ph_load_rlx(ph_counter_at(&self.c, row, column))

    def total(self, uint32_t column):
        """The sum over all rows."""
        self.cell(0, column)
        return ph_counter_total(&self.c, column)

    def clear_row(self, uint32_t row):
        """Zero a row whose owner is gone (gauges of a dead worker)."""
        cdef uint32_t column
        self.cell(row, 0)
        self._arena.must_write()
        for column in range(self.c.columns):
            ph_store_rlx(ph_counter_at(&self.c, row, column), 0)
