"""The edge: its C parts and its one class."""
from libc.stdint cimport int64_t, uint64_t

from pihub._core.cache cimport Cache
from pihub._core.journal cimport Journal, ph_record
from pihub._core.keytable cimport KeyTable
from pihub._core.lane cimport Ask, Lane
from pihub._core.limiter cimport Limiter
from pihub._core.wire cimport Heads

cdef class Edge:
    cdef object app
    cdef Cache cache
    cdef KeyTable keys
    cdef Limiter limiter
    cdef Limiter quotas         # by tenant, for keys with the flag QUOTA
    cdef uint64_t tenants       # rows of quotas
    cdef Journal journal
    cdef Lane lane              # None: every chat takes the pipeline
    cdef dict routes            # path -> route number
    cdef dict refusals          # (route number, code) -> Refusal
    cdef Heads heads
    cdef uint64_t[64] seeds     # of the exact keys, by route number
    cdef uint64_t secret
    cdef uint64_t count         # requests of this worker, from the wall clock
    cdef int64_t max_body
    cdef unsigned slot

    cdef object refuse(self, Ask *ask, str code, dict environ, object start_response, long retry)
    cdef object hit(self, Ask *ask, object start_response)
    cdef void record(self, const Ask *ask, ph_record *event) noexcept
