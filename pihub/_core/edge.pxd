"""The edge: its C parts and its one class."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.cache cimport Cache
from pihub._core.counters cimport Counters
from pihub._core.histogram cimport Histogram
from pihub._core.keytable cimport KeyTable
from pihub._core.limiter cimport Limiter
from pihub._core.ring cimport Ring
from pihub._core.wire cimport Heads

cdef extern from "ph_event.h" nogil:
    ctypedef struct ph_record "ph_event":
        uint64_t ts_ns
        uint64_t rid
        int64_t cost_nano
        int64_t saved_nano
        uint32_t dur_us
        uint32_t ttft_us
        uint32_t in_tok
        uint32_t out_tok
        uint32_t bytes_in
        uint32_t bytes_out
        uint32_t key
        uint16_t status
        uint16_t tenant
        uint16_t route
        uint16_t model
        uint16_t upstream
        uint16_t alias
        uint8_t cache
        uint8_t flags
        uint8_t reason
        uint16_t worker


cdef struct Ask:
    # One request, on the stack of __call__.
    uint64_t t0
    uint64_t rid
    uint64_t h1
    uint64_t h2
    uint32_t key
    uint16_t tenant
    uint16_t flags
    int route
    uint32_t bytes_in


cdef class Edge:
    cdef object app
    cdef Cache cache
    cdef KeyTable keys
    cdef Limiter limiter
    cdef Counters counters
    cdef Histogram histogram
    cdef Ring ring
    cdef dict routes            # path -> route number
    cdef dict refusals          # (route number, code) -> Refusal
    cdef Heads heads
    cdef uint64_t[64] seeds     # of the exact keys, by route number
    cdef uint64_t secret
    cdef uint64_t count         # requests of this worker, from the wall clock
    cdef uint64_t wall_read     # CLOCK_MONOTONIC ns of the last look at the wall clock
    cdef uint64_t wall_ahead    # ns between the two
    cdef int64_t max_body
    cdef unsigned slot

    cdef object refuse(self, Ask *ask, str code, dict environ, object start_response, long retry)
    cdef object hit(self, Ask *ask, object start_response)
    cdef uint64_t wall(self, uint64_t mono) noexcept
    cdef void record(self, const Ask *ask, ph_record *event, int column) noexcept
