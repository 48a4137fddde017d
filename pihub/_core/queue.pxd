"""Queues before slow upstreams: the C face."""
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a32, ph_a64

cdef extern from "ph_queue.h" nogil:
    enum:
        PH_QUEUE_TICKETS
        PH_QUEUE_WIDTH

    ctypedef struct ph_queue:
        ph_a32 width
        ph_a32 capacity
        ph_a32 model
        ph_a64 used

    int ph_queue_enter(
        ph_queue *queue, uint32_t slot, uint32_t key, uint32_t model, uint32_t cost,
        uint32_t swap, uint64_t now)
    int ph_queue_turn(ph_queue *queue, int ticket, uint64_t now, uint64_t *eta)
    void ph_queue_leave(ph_queue *queue, int ticket, uint64_t now)
    uint64_t ph_queue_load(
        const ph_queue *queue, uint64_t now, uint32_t *waiting, uint32_t *running)
    void ph_queue_recover(ph_queue *queue, uint32_t slot)


cdef class Queue:
    cdef Arena arena
    cdef ph_queue *rows
    cdef readonly size_t n_rows

    cdef ph_queue *at(self, size_t row) except NULL
