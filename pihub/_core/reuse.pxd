"""Reuse distances; the C side is include/ph_reuse.h."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "ph_reuse.h" nogil:
    ctypedef struct ph_reuse_node:
        uint32_t next

    ctypedef struct ph_reuse_sum:
        double count
        double nano
        double us

    ctypedef struct ph_reuse:
        ph_reuse_node *node
        uint32_t *heap
        uint32_t *chain
        uint32_t *at
        uint64_t *tree
        uint32_t most
        uint32_t n
        uint32_t chains
        uint32_t positions
        uint32_t free
        uint64_t threshold
        double all
        double followed

    ctypedef struct ph_reuse_look:
        uint64_t key
        uint32_t tenant
        uint32_t now
        uint32_t size
        uint32_t ttl
        uint32_t made_us
        int64_t nano

    double ph_reuse_rate(const ph_reuse *r)
    uint32_t ph_reuse_see(ph_reuse *r, const ph_reuse_look *look, int made)
    void ph_reuse_fade(ph_reuse *r, double part)
    ph_reuse_sum ph_reuse_within(const ph_reuse *r, double bytes)


cdef class Reuse:
    cdef ph_reuse r
    cdef void *memory
    cdef readonly size_t ram
