"""Multi-literal matcher: the C face."""
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "ph_matcher.h" nogil:
    uint32_t PH_AC_NONE

    ctypedef struct ph_ac:
        uint32_t classes
        uint32_t states
        uint32_t *ends
        uint32_t *same
        uint32_t *link
        size_t memory

    uint8_t ph_fold(uint8_t b)
    void ph_ac_free(ph_ac *a)
    int ph_ac_start(ph_ac *a, const uint8_t *used, size_t bytes, size_t patterns)
    void ph_ac_add(ph_ac *a, const uint8_t *p, size_t n, uint32_t index)
    int ph_ac_finish(ph_ac *a)
    uint32_t ph_ac_scan(const ph_ac *a, const uint8_t *data, size_t n, size_t *at, uint32_t *state)
    int ph_has_control(const uint8_t *p, size_t n)

cdef extern from "ph_teddy.h" nogil:
    """
    #if defined(__x86_64__)
    #define ph_class_baseline ph_class_sse2
    #else
    #define ph_class_baseline ph_class_scan
    #endif
    """
    enum:
        PH_TEDDY_MAX

    ctypedef struct ph_literal:
        uint32_t word
        uint32_t mask
        uint32_t at
        uint32_t len
        uint32_t index

    ctypedef struct ph_teddy:
        uint32_t count
        ph_literal *lits
        uint8_t *text

    ctypedef struct ph_hit:
        size_t at
        uint32_t index

    void ph_teddy_build(ph_teddy *t)
    void ph_teddy_free(ph_teddy *t)
    ph_hit ph_teddy_find(const ph_teddy *t, const uint8_t *p, size_t n, size_t start)
    ph_hit ph_teddy_narrow(const ph_teddy *t, const uint8_t *p, size_t n, size_t start)
    ph_hit ph_teddy_scalar(const ph_teddy *t, const uint8_t *p, size_t n, size_t start)
    uint32_t ph_class_scan(const uint8_t *p, size_t n)
    uint32_t ph_class_scalar(const uint8_t *p, size_t n)
    uint32_t ph_class_baseline(const uint8_t *p, size_t n)


cdef class Matcher:
    cdef ph_ac ac


cdef class Literals:
    cdef ph_teddy t
