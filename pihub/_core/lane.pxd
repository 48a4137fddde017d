"""The lane for chats that pass through, and what the edge tells it."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.breaker cimport Breaker, ph_breaker
from pihub._core.counters cimport Counters, ph_counters
from pihub._core.journal cimport Journal

cdef extern from "ph_lane.h" nogil:
    enum:
        PH_LANE_OPENAI
        PH_LANE_ANTHROPIC
        PH_COLUMN_LANE

    ctypedef struct ph_lane_ask:
        int64_t model
        int64_t model_len
        int has_temperature
        double temperature

    ctypedef struct ph_lane_answer:
        int has_usage
        int64_t input
        int64_t output
        int64_t cache_read
        int64_t write_5m
        int64_t write_1h
        int64_t stop
        int64_t stop_len

    ctypedef struct ph_lane_price:
        int64_t *rates
        int64_t *long_rates
        int64_t long_above
        int known

    bint ph_lane_read_ask(const uint8_t *p, int64_t n, ph_lane_ask *out)
    int64_t ph_lane_head(const uint8_t *p, int64_t n, int64_t *length)
    bint ph_lane_read_answer(int protocol, const uint8_t *p, int64_t n, ph_lane_answer *a)
    int64_t ph_lane_cost(const ph_lane_price *price, const ph_lane_answer *a)
    void ph_head_init()


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


cdef class Way:
    # One model of one route: where it goes, and all of it that can be known beforehand.
    cdef int protocol
    cdef bytes head             # of the call, up to the length's digits
    cdef bytes model            # its name there, as JSON text
    cdef str version            # the only anthropic-version that goes this way; None: no matter
    cdef ph_breaker *breaker
    cdef Breaker breakers       # keeps the mapping
    cdef uint32_t calls, ok     # columns of the upstream's counters
    cdef object take, release   # the pool's
    cdef uint16_t model_name, upstream_name, alias_name
    cdef bint simulated
    cdef tuple shown            # headers that name the target
    cdef ph_lane_price price
    cdef object unpriced        # told of each answer whose price is unknown
    cdef double headers, total  # timers, seconds


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
    cdef uint8_t *buffer
    cdef public bint closed

    cdef object run(self, const Ask *ask, bytes body, dict environ, object start_response)
    cdef object call(
        self, const Ask *ask, const ph_lane_ask *said, Way way, bytes body, object client_fd,
        Begun begun,
    )
    cdef bint receive(self, Begun begun, int fd, object client_fd, Py_ssize_t *got) except -1
    cdef object settle(
        self, const Ask *ask, const ph_lane_ask *said, Way way, Begun begun, Py_ssize_t got,
    )
