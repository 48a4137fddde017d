"""Judging input: the C face."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pihub._core.matcher cimport Literals, ph_teddy
from pihub._core.wire cimport ph_direct, ph_direct_answer, ph_direct_ask, ph_direct_text

cdef extern from "ph_scan_request.h" nogil:
    """
    #include "ph_hash.h"
    #define PH_S_HASH(p, n, seed) XXH3_64bits_withSeed(p, n, seed)
    """
    ctypedef struct ph_worst:
        unsigned total
        int cls
        int where
        const char *rule
        uint32_t at
        uint32_t values
        uint32_t deepest
        int memory
        int over
        size_t room
        uint8_t *field
        uint32_t field_len

    ctypedef struct ph_scanner:
        ph_teddy keys
        ph_teddy files
        ph_teddy marks
        uint8_t *scratch

    int ph_scanner_build(ph_scanner *s)
    void ph_judge(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded,
                  const uint8_t *name, size_t name_len, ph_worst *w)
    void ph_part(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded,
                 const uint8_t *name, size_t name_len, int level, ph_worst *w)
    void ph_pairs(ph_scanner *s, const uint8_t *p, size_t n, int where, int level, ph_worst *w)
    void ph_body(ph_scanner *s, const uint8_t *p, size_t n, int kind, int where, ph_worst *w)
    uint64_t PH_S_HASH(const uint8_t *p, size_t n, uint64_t seed)


cdef class Scanner:
    cdef ph_scanner s
    cdef uint64_t[512] clean
    cdef uint64_t seed
    cdef Literals keywords

    cdef object found(self, ph_worst *w, str place)
    cdef void part(
        self, const uint8_t *p, size_t n, const uint8_t *name, size_t name_len, ph_worst *w
    ) noexcept
    cdef bint clean_ask(self, const ph_direct_ask *ask) noexcept


cdef class Gate:
    cdef object app
    cdef Scanner scanner
    cdef object judge
    cdef object capsule         # the application's own
    cdef const ph_direct *inner
    cdef ph_direct face
