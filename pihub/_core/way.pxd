"""A way of the lane, and what the lane reads of a chat; the C side is include/ph_lane.h."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.breaker cimport Breaker, ph_breaker

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


cdef class Way:
    # See way.pyi; the lane reads all of it.
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
    cdef tuple boards           # whose news may close or open the way
    cdef object may             # asked anew when there are some
    cdef uint64_t news
    cdef bint open

    cdef bint opens(self) except -1
