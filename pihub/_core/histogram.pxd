"""Log-linear histograms; the C side is include/ph_hist.h."""
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_hist.h" nogil:
    enum:
        PH_HIST_BUCKETS

    ctypedef struct ph_hist:
        ph_a64 sum
        ph_a64 *bucket

    ctypedef struct ph_hists:
        ph_hist *base
        uint32_t rows
        uint32_t series

    uint32_t ph_hist_bucket(uint64_t v)
    uint64_t ph_hist_lowest(uint32_t bucket)
    uint64_t ph_hist_highest(uint32_t bucket)
    ph_hist *ph_hist_at(const ph_hists *h, uint32_t row, uint32_t series)
    void ph_hist_record(const ph_hists *h, uint32_t row, uint32_t series, uint64_t v)
    uint64_t ph_hist_merge(const ph_hists *h, uint32_t series, uint64_t *out)


cdef class Histogram:
    cdef Arena _arena           # keeps the mapping
    cdef ph_hists h             # set once, in __cinit__

    cdef uint64_t merge(self, uint32_t series, uint64_t *out) except? 0xFFFFFFFFFFFFFFFF
