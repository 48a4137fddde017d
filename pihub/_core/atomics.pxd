"""The cells and clocks of include/ph_atomics.h (opaque: no arithmetic on a cell)."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "ph_atomics.h" nogil:
    ctypedef struct ph_a64:
        pass
    ctypedef struct ph_a32:
        pass
    ctypedef struct ph_a8:
        pass

    uint64_t ph_load_rlx(const ph_a64 *p)
    uint64_t ph_load_acq(const ph_a64 *p)
    uint64_t ph_load_sc(const ph_a64 *p)
    void ph_store_rlx(ph_a64 *p, uint64_t x)
    void ph_store_rel(ph_a64 *p, uint64_t x)
    void ph_store_sc(ph_a64 *p, uint64_t x)
    uint64_t ph_add_rlx(ph_a64 *p, uint64_t x)
    int ph_cas_rlx(ph_a64 *p, uint64_t *want, uint64_t x)
    int ph_cas_acq(ph_a64 *p, uint64_t *want, uint64_t x)
    int ph_cas_acqrel(ph_a64 *p, uint64_t *want, uint64_t x)
    int ph_cas_sc(ph_a64 *p, uint64_t *want, uint64_t x)
    void ph_bump(ph_a64 *p, uint64_t n)

    uint32_t ph_load_rlx32(const ph_a32 *p)
    uint32_t ph_load_acq32(const ph_a32 *p)
    void ph_store_rlx32(ph_a32 *p, uint32_t x)
    void ph_store_rel32(ph_a32 *p, uint32_t x)
    uint32_t ph_add_rlx32(ph_a32 *p, uint32_t x)
    int ph_cas_acqrel32(ph_a32 *p, uint32_t *want, uint32_t x)

    uint8_t ph_load_rlx8(const ph_a8 *p)
    void ph_store_rlx8(ph_a8 *p, uint8_t x)

    void ph_fence_acq()
    void ph_fence_rel()
    void ph_fence_sc()
    void ph_pause()

    uint64_t ph_mono_ns()
    uint64_t ph_wall_ns()
    uint64_t ph_coarse_ns()
    uint64_t ph_coarse_ms()
