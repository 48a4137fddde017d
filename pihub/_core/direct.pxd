"""What answers a hit: the parts that the edge's two ways in share, and the direct one."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from pihub._core.cache cimport Cache
from pihub._core.journal cimport Journal, ph_record
from pihub._core.keytable cimport KeyTable, ph_key_id
from pihub._core.lane cimport Ask
from pihub._core.limiter cimport Limiter
from pihub._core.wire cimport Heads, ph_direct, ph_direct_answer, ph_direct_ask, ph_wire

cdef enum:
    ROUTES = 64

cdef struct Path:
    const char *text
    size_t size
    int number


cdef class Direct:
    cdef Cache cache
    cdef KeyTable keys
    cdef Limiter limiter
    cdef Limiter quotas         # by tenant, for keys with the flag QUOTA
    cdef uint64_t tenants       # rows of quotas
    cdef Journal journal
    cdef Heads heads
    cdef uint64_t[64] seeds     # of the exact keys, by route number
    cdef uint64_t secret
    cdef uint64_t count         # requests of this worker, from the wall clock
    cdef int64_t max_body
    cdef unsigned slot
    cdef list texts             # what paths point into
    cdef Path[64] paths
    cdef size_t n_paths
    cdef uint8_t *room          # an answer's header lines and body
    cdef ph_direct face

    cdef bint caller(self, Ask *ask, const uint8_t *token, size_t length) noexcept
    cdef int64_t admit(self, Ask *ask) noexcept
    cdef void close_hit(self, const Ask *ask, const ph_wire *w) noexcept
    cdef void record(self, const Ask *ask, ph_record *event) noexcept
    cdef int reply(self, const ph_direct_ask *said, ph_direct_answer *answer) except -1
