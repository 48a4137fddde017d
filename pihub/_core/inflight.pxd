"""The in-flight table: the C face."""
from libc.stdint cimport uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_inflight.h" nogil:
    int PH_FL_WAYS
    int PH_FL_LEAD
    int PH_FL_FOLLOW
    int PH_FL_FULL

    ctypedef struct ph_flight_bucket:
        ph_a64 *word

    ctypedef struct ph_flights:
        ph_flight_bucket *buckets
        uint64_t n
        const int *eventfd
        unsigned n_fds

    int ph_fl_begin(const ph_flights *f, uint64_t h, unsigned slot, uint64_t lease, uint64_t now)
    int ph_fl_renew(const ph_flights *f, uint64_t h, unsigned slot, uint64_t lease, uint64_t now)
    void ph_fl_end(const ph_flights *f, uint64_t h, unsigned slot)
    unsigned ph_fl_recover(const ph_flights *f, unsigned slot)
    int ph_fl_news(const ph_flights *f, uint64_t h, unsigned slot, int wake)
    unsigned PH_FL_WORKER(uint64_t w)
    int ph_fl_leader(const ph_flight_bucket *b, uint64_t h, uint64_t now, uint64_t *w)
    ph_flight_bucket *ph_fl_bucket(const ph_flights *f, uint64_t h)


cdef class Inflight:
    cdef Arena arena
    cdef ph_flights f
    cdef int[65] fds

    cdef int check(self, unsigned slot) except -1
