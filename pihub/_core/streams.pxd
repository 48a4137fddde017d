"""The live streams table; the C side is include/ph_streams.h."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_streams.h" nogil:
    uint32_t PH_KIND_STREAMS

    ctypedef struct ph_stream:
        ph_a64 state
        ph_a64 cancel
        ph_a64 rid
        ph_a64 began_ns
        ph_a64 first_ns
        ph_a64 last_ns
        ph_a64 bytes
        ph_a64 tokens
        ph_a64 stalls
        ph_a64 key_tenant
        ph_a64 names
        ph_a64 input
        ph_a64 wall_ns

    ctypedef struct ph_streams_slot:
        ph_a64 incarnation
        ph_a64 untracked

    ctypedef struct ph_streams:
        uint8_t *base
        uint32_t per_slot
        uint32_t n_slots

    bint PH_STREAM_LIVE(uint64_t word)
    uint64_t PH_STREAM_INCARNATION(uint64_t word)
    ph_streams_slot *ph_streams_slot_at(const ph_streams *s, uint32_t slot)
    ph_stream *ph_stream_at(const ph_streams *s, uint32_t slot, uint32_t i)
    uint64_t ph_stream_next(uint64_t word, uint64_t incarnation, int live)
    int64_t ph_stream_free(const ph_streams *s, uint32_t slot, uint32_t hint)
    int ph_stream_tick(
        ph_stream *r, uint64_t tokens, uint64_t bytes, uint64_t now, uint64_t stall_ns)
    void ph_stream_close(ph_stream *r)
    uint32_t ph_streams_held(const ph_streams *s, uint64_t key)
    int ph_stream_copy(const ph_stream *r, ph_stream *out, uint64_t *word)


cdef class Streams:
    cdef Arena arena
    cdef ph_streams s
    cdef uint32_t[65] hint      # by slot: where the next free row is looked for

    cdef ph_stream *row(self, uint64_t handle) except NULL
    cdef ph_streams_slot *slot(self, uint32_t slot) except NULL
