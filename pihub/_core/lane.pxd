"""The lane for chats that pass through, and what the edge tells it."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.cache cimport Cache
from pihub._core.counters cimport Counters
from pihub._core.journal cimport Journal
from pihub._core.way cimport Way, ph_lane_ask

cdef struct Ask:
    # One request, on the stack of the edge's __call__.
    uint64_t t0
    uint64_t rid
    uint64_t h1
    uint64_t h2
    uint32_t key
    uint16_t tenant
    uint16_t flags
    int route
    uint32_t bytes_in


cdef class Begun:
    cdef readonly object connection
    cdef readonly bytes wire
    cdef readonly Py_ssize_t sent
    cdef readonly bytes data
    cdef readonly object error
    cdef readonly double at, total_at
    cdef readonly uint64_t start_ns


cdef class Lane:
    cdef Journal journal
    cdef Counters counters, upstreams
    cdef list ways              # by route number: None, or {model's name: Way}
    cdef object wait, client_fd
    cdef double temperature
    cdef int64_t limit, largest, max_header
    cdef Cache cache            # its room tells how short memory is
    cdef uint64_t least_room
    cdef Counters machine       # its share of the limit, while the machine suffers
    cdef uint32_t share_row, share_column
    cdef uint8_t *buffer

    cdef object run(self, const Ask *ask, bytes body, dict environ, object start_response)
    cdef object call(
        self, const Ask *ask, const ph_lane_ask *said, Way way, bytes body, object client_fd,
        Begun begun,
    )
    cdef bint receive(self, Begun begun, int fd, object client_fd, Py_ssize_t *got) except -1
    cdef object settle(
        self, const Ask *ask, const ph_lane_ask *said, Way way, Begun begun, Py_ssize_t got,
    )
