"""The journal; the C side is include/ph_journal.h."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.counters cimport ph_counters
from pihub._core.histogram cimport ph_hists
from pihub._core.ring cimport ph_rings

cdef extern from "ph_journal.h" nogil:
    enum:
        PH_JOURNAL_COLUMNS
        PH_JOURNAL_SERIES
        PH_JOURNAL_STAGES
        PH_SERIES_UPSTREAM
        PH_SERIES_INSPECT
        PH_ROUTE_COLUMNS
        PH_COLUMN_IN_FLIGHT
        PH_CACHE_HIT
        PH_CACHE_BYPASS
        PH_FLAG_STREAM
        PH_FLAG_ERROR
        PH_FLAG_SIMULATED
        PH_FLAG_ESTIMATED
        PH_REASON_FIRST_CHOICE
        PH_REASON_CACHE_EXACT
        PH_REASON_REFUSED
        PH_WHY_TEMPERATURE_UNSET
        PH_WHY_TEMPERATURE

    ctypedef struct ph_record "ph_event":
        uint64_t ts_ns
        uint64_t rid
        int64_t cost_nano
        int64_t saved_nano
        uint32_t dur_us
        uint32_t ttft_us
        uint32_t in_tok
        uint32_t out_tok
        uint32_t cache_read_tok
        uint32_t cache_write_tok
        uint32_t bytes_in
        uint32_t bytes_out
        uint32_t key
        uint32_t *stage_us
        uint16_t status
        uint16_t tenant
        uint16_t route
        uint16_t model
        uint16_t upstream
        uint16_t alias
        uint8_t cache
        uint8_t flags
        uint8_t attempts
        uint8_t reason
        uint16_t worker
        uint16_t error
        uint32_t kept
        uint64_t look
        uint32_t kept_ttl
        uint8_t why
        uint8_t queued
        uint8_t dialed
        uint8_t stalls

    ctypedef struct ph_journal:
        ph_counters counters
        ph_counters routes
        ph_hists latency
        ph_rings ring
        uint32_t slot

    uint32_t ph_clamp32(uint64_t n)
    uint64_t ph_journal_wall(ph_journal *j, uint64_t now, uint64_t instant)
    void ph_journal_close(ph_journal *j, ph_record *e, uint64_t t0)


cdef class Journal:
    cdef tuple _regions         # keeps the mapping
    cdef ph_journal j           # rows set once, in __cinit__; clocks at each write
