"""Learnt figures of models: the C face."""
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_speeds.h" nogil:
    enum:
        PH_SPEED_CELLS

    ctypedef struct ph_speed:
        ph_a64 key
        ph_a64 *cell

    uint64_t ph_speed_word(float mean, uint32_t count)
    float ph_speed_mean(uint64_t word)
    long ph_speed_row(ph_speed *rows, uint64_t n, uint64_t key)
    void ph_speed_learn(ph_a64 *cell, float value)


cdef class Speeds:
    cdef Arena arena
    cdef ph_speed *rows
    cdef readonly size_t n_rows

    cdef ph_a64 *at(self, Py_ssize_t row, Py_ssize_t cell) except NULL
