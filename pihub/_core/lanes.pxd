"""Queues before slow upstreams: the C face."""
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a32, ph_a64

cdef extern from "ph_lanes.h" nogil:
    enum:
        PH_LANE_TICKETS
        PH_LANE_WIDTH

    ctypedef struct ph_lane:
        ph_a32 width
        ph_a32 capacity
        ph_a32 model
        ph_a64 used

    int ph_lane_enter(
        ph_lane *lane, uint32_t slot, uint32_t key, uint32_t model, uint32_t cost,
        uint32_t swap, uint64_t now)
    int ph_lane_turn(ph_lane *lane, int ticket, uint64_t now, uint64_t *eta)
    void ph_lane_leave(ph_lane *lane, int ticket, uint64_t now)
    uint64_t ph_lane_load(
        const ph_lane *lane, uint64_t now, uint32_t *waiting, uint32_t *running)
    void ph_lane_recover(ph_lane *lane, uint32_t slot)


cdef class Lanes:
    cdef Arena arena
    cdef ph_lane *rows
    cdef readonly size_t n_rows

    cdef ph_lane *at(self, size_t row) except NULL
