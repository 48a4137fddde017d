"""Single-producer event rings; the C side is include/ph_ring.h."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena, ph_event
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_ring.h" nogil:
    ctypedef struct ph_rings:
        uint8_t *base
        uint64_t stride
        uint32_t rings
        uint32_t capacity
        int wake

    uint64_t ph_rings_stride(uint32_t capacity)
    ph_a64 *ph_ring_head(const ph_rings *r, uint32_t ring)
    ph_a64 *ph_ring_alarm(const ph_rings *r, uint32_t ring)
    int ph_ring_settle()
    uint8_t *ph_ring_record(const ph_rings *r, uint32_t ring, uint64_t i)
    void ph_ring_push(const ph_rings *r, uint32_t ring, const ph_event *event)
    uint64_t ph_ring_oldest(const ph_rings *r, uint64_t head)
    uint64_t ph_ring_safe(const ph_rings *r, uint32_t ring)


cdef class Ring:
    cdef Arena _arena           # keeps the mapping
    cdef ph_rings r             # set once, in __cinit__
    cdef readonly uint32_t capacity
