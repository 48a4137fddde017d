"""Rows of 64-bit counters; the C side is include/ph_counters.h."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_counters.h" nogil:
    ctypedef struct ph_counters:
        uint8_t *base
        uint64_t stride
        uint32_t rows
        uint32_t columns

    uint64_t ph_counters_stride(uint32_t columns)
    ph_a64 *ph_counter_at(const ph_counters *c, uint32_t row, uint32_t column)
    void ph_counter_add(const ph_counters *c, uint32_t row, uint32_t column, int64_t n)
    int64_t ph_counter_total(const ph_counters *c, uint32_t column)


cdef class Counters:
    cdef Arena _arena           # keeps the mapping
    cdef ph_counters c          # set once, in __cinit__

    cdef int cell(self, uint32_t row, uint32_t column) except -1
