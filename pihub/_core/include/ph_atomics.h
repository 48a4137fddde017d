/* Atomic cells shared between processes, with the memory order in the name.
 *
 * A cell is a struct, so that nobody writes `cell += 1` on it. Orders: rlx (relaxed), acq,
 * rel, sc (sequentially consistent). No suffix: 64 bits; 32 and 8 say so.
 *
 * Only lock-free atomics are right here: the library fallback locks a table of its own
 * process and would exclude nobody else, hence the assertions.
 */
#ifndef PH_ATOMICS_H
#define PH_ATOMICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct { _Atomic uint64_t v; } ph_a64;
typedef struct { _Atomic uint32_t v; } ph_a32;
typedef struct { _Atomic uint8_t v; } ph_a8;

_Static_assert(sizeof(ph_a64) == 8 && _Alignof(ph_a64) == 8, "ph_a64 is 8 aligned bytes");
_Static_assert(sizeof(ph_a32) == 4 && sizeof(ph_a8) == 1, "cells are as wide as their value");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free on this target");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_CHAR_LOCK_FREE == 2, "lock-free atomics");

#define ph_likely(x) __builtin_expect(!!(x), 1)
#define ph_unlikely(x) __builtin_expect(!!(x), 0)

/* ---- loads and stores ------------------------------------------------------------- */

#define PH_CELL(suffix, cell, type)                                                          \
    static inline type ph_load_rlx##suffix(const cell *p) {                                  \
        return atomic_load_explicit((_Atomic type *)&p->v, memory_order_relaxed); }          \
    static inline type ph_load_acq##suffix(const cell *p) {                                  \
        return atomic_load_explicit((_Atomic type *)&p->v, memory_order_acquire); }          \
    static inline type ph_load_sc##suffix(const cell *p) {                                   \
        return atomic_load_explicit((_Atomic type *)&p->v, memory_order_seq_cst); }          \
    static inline void ph_store_rlx##suffix(cell *p, type x) {                               \
        atomic_store_explicit(&p->v, x, memory_order_relaxed); }                             \
    static inline void ph_store_rel##suffix(cell *p, type x) {                               \
        atomic_store_explicit(&p->v, x, memory_order_release); }                             \
    static inline void ph_store_sc##suffix(cell *p, type x) {                                \
        atomic_store_explicit(&p->v, x, memory_order_seq_cst); }                             \
    /* Each returns the value before. */                                                     \
    static inline type ph_add_rlx##suffix(cell *p, type x) {                                 \
        return atomic_fetch_add_explicit(&p->v, x, memory_order_relaxed); }                  \
    static inline type ph_or_sc##suffix(cell *p, type x) {                                   \
        return atomic_fetch_or_explicit(&p->v, x, memory_order_seq_cst); }                   \
    static inline type ph_and_sc##suffix(cell *p, type x) {                                  \
        return atomic_fetch_and_explicit(&p->v, x, memory_order_seq_cst); }                  \
    static inline type ph_xchg_sc##suffix(cell *p, type x) {                                 \
        return atomic_exchange_explicit(&p->v, x, memory_order_seq_cst); }                   \
    /* Compare and swap: 1 if *want was there and x is now; else 0 and *want is what is. */  \
    static inline int ph_cas_rlx##suffix(cell *p, type *want, type x) {                      \
        return atomic_compare_exchange_strong_explicit(                                      \
            &p->v, want, x, memory_order_relaxed, memory_order_relaxed); }                   \
    static inline int ph_cas_acq##suffix(cell *p, type *want, type x) {                      \
        return atomic_compare_exchange_strong_explicit(                                      \
            &p->v, want, x, memory_order_acquire, memory_order_relaxed); }                   \
    static inline int ph_cas_acqrel##suffix(cell *p, type *want, type x) {                   \
        return atomic_compare_exchange_strong_explicit(                                      \
            &p->v, want, x, memory_order_acq_rel, memory_order_acquire); }                   \
    static inline int ph_cas_sc##suffix(cell *p, type *want, type x) {                       \
        return atomic_compare_exchange_strong_explicit(                                      \
            &p->v, want, x, memory_order_seq_cst, memory_order_seq_cst); }

PH_CELL(, ph_a64, uint64_t)
PH_CELL(32, ph_a32, uint32_t)
PH_CELL(8, ph_a8, uint8_t)
#undef PH_CELL

/* One writer: no read-modify-write needed, a plain add with untorn stores (0.3 ns, not 5). */
static inline void ph_bump(ph_a64 *p, uint64_t n) { ph_store_rlx(p, ph_load_rlx(p) + n); }

/* ---- fences, pauses --------------------------------------------------------------- */

static inline void ph_fence_acq(void) { atomic_thread_fence(memory_order_acquire); }
static inline void ph_fence_rel(void) { atomic_thread_fence(memory_order_release); }
static inline void ph_fence_sc(void) { atomic_thread_fence(memory_order_seq_cst); }

static inline void ph_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");  /* `yield` is a no-op on Cortex-A */
#endif
}

/* Ask for a line that is about to be written, so that the store finds it near and nobody else
 * has it. gcc's own is a prefetch to read on the x86-64 baseline: of a line that a reader has, the
 * store must then ask a second time. Processors without prefetchw take it for a no-op. */
static inline void ph_prefetch_write(const uint8_t *p) {
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw %0" : : "m"(*p));
#else
    __builtin_prefetch(p, 1);
#endif
}

/* ---- clocks ----------------------------------------------------------------------- */

static inline uint64_t ph_clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
/* 25-35 ns a call: read it once a request and pass it down. */
static inline uint64_t ph_mono_ns(void) { return ph_clock_ns(CLOCK_MONOTONIC); }
static inline uint64_t ph_wall_ns(void) { return ph_clock_ns(CLOCK_REALTIME); }
/* 3 ns, a tick (1-4 ms) coarse. */
static inline uint64_t ph_coarse_ns(void) { return ph_clock_ns(CLOCK_MONOTONIC_COARSE); }
static inline uint64_t ph_coarse_ms(void) { return ph_coarse_ns() / 1000000u; }

#endif
