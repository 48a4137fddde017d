# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""What all workers have learnt of each model: moving averages.

Promise   a mean and its count are read as they were written, never torn.
Layout    | head | ph_speed x rows | (ph_speeds.h); 128 bytes a row.
Writers   anyone, one compare-and-swap a sample.
Cost      one cache line.
Failure   a writer that dies leaves a valid word; a full table gives no row.
"""
cimport cython
from libc.math cimport isfinite
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_SPEEDS, Arena, ph_head
from pihub._core.atomics cimport ph_a64, ph_load_rlx, ph_store_rlx

CELLS = PH_SPEED_CELLS


@cython.final
cdef class Speeds:
    """Speeds(arena, region, rows)"""

    def __cinit__(self, Arena arena not None, str region not None, size_t rows):
        if rows == 0:
            raise ValueError("a table of speeds needs at least one row")
        self.arena = arena
        self.n_rows = rows
        self.rows = <ph_speed *> arena.open(
            region, PH_KIND_SPEEDS, sizeof(ph_head) + rows * sizeof(ph_speed),
            rows, sizeof(ph_speed), 0, 0,
        )

    @staticmethod
    def size_for(size_t rows):
        return sizeof(ph_head) + rows * sizeof(ph_speed)

    cdef ph_a64 *at(self, Py_ssize_t row, Py_ssize_t cell) except NULL:
        if not 0 <= row < <Py_ssize_t> self.n_rows or not 0 <= cell < PH_SPEED_CELLS:
            raise IndexError(f"cell {cell} of row {row}")
        return &self.rows[row].cell[cell]

    def row(self, uint64_t key):
        self.arena.must_write()
        if key == 0:
            raise ValueError("0 is no key")
        return ph_speed_row(self.rows, self.n_rows, key)

    def learn(self, Py_ssize_t row, Py_ssize_t cell, float value):
        cdef ph_a64 *at = self.at(row, cell)
        self.arena.must_write()
        if isfinite(value):
            ph_speed_learn(at, value)

    def put(self, Py_ssize_t row, Py_ssize_t cell, float mean, uint32_t count):
        cdef ph_a64 *at = self.at(row, cell)
        self.arena.must_write()
        ph_store_rlx(at, ph_speed_word(mean, count))

    def read(self, Py_ssize_t row, Py_ssize_t cell):
        cdef uint64_t word = ph_load_rlx(self.at(row, cell))
        return ph_speed_mean(word), <uint32_t> word
