"""The table of names; the C side is include/ph_names.h."""
from libc.stdint cimport uint8_t, uint32_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_names.h" nogil:
    enum:
        PH_NAME_TEXT
        PH_NAME_READY

    ctypedef struct ph_name:
        ph_a64 word
        uint8_t length
        uint8_t *text

    uint32_t ph_name_intern(
        ph_name *rows, uint32_t capacity, const uint8_t *key, const uint8_t *text, uint8_t n)


cdef class Names:
    cdef Arena _arena           # keeps the mapping
    cdef ph_name *rows          # set once, in __cinit__
    cdef const uint8_t *key     # 16 bytes of the arena's secret
    cdef readonly uint32_t capacity
