"""A published blob; the C side is include/ph_board.h."""
from libc.stdint cimport uint8_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_board.h" nogil:
    ctypedef struct ph_board:
        ph_a64 generation

    uint8_t *ph_board_buffer(const ph_board *b, uint64_t capacity, uint64_t g)
    uint64_t ph_board_publish(ph_board *b, uint64_t capacity, const uint8_t *data, uint64_t n)
    uint64_t ph_board_length(const ph_board *b, uint64_t capacity, uint64_t g)
    int ph_board_whole(const ph_board *b, uint64_t g)


cdef class Board:
    cdef Arena _arena           # keeps the mapping
    cdef ph_board *b            # set once, in __cinit__
    cdef readonly uint64_t capacity
