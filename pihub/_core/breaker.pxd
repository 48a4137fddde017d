"""Circuit breakers: the C face."""
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_breaker.h" nogil:
    int PH_CLOSED
    int PH_OPEN
    int PH_HALF_OPEN

    ctypedef struct ph_breaker:
        ph_a64 state
        ph_a64 hold

    void ph_br_set(
        ph_breaker *b, uint32_t failures, uint32_t window_ms, uint32_t open_ms,
        uint32_t probe_ms)
    int ph_br_allow(ph_breaker *b, uint64_t now)
    void ph_br_counts(const ph_breaker *b, uint64_t now, uint64_t *ok, uint64_t *failed)
    void ph_br_record(ph_breaker *b, int ok, uint64_t now)
    uint64_t ph_br_probe(const ph_breaker *b)
    void ph_br_release(ph_breaker *b, uint64_t probe, uint64_t now)
    void ph_br_force(ph_breaker *b, unsigned kind, uint64_t now)
    int ph_br_held(uint64_t hold, uint64_t now)
    void ph_br_hold(ph_breaker *b, unsigned kind, uint64_t until)
    void ph_br_unhold(ph_breaker *b, uint64_t now)
    unsigned ph_br_kind(uint64_t s)
    uint64_t ph_br_until(uint64_t s)


cdef class Breaker:
    cdef Arena arena
    cdef ph_breaker *rows
    cdef readonly size_t n_rows

    cdef ph_breaker *at(self, size_t row) except NULL
