/* GCRA (ITU-T I.371, the virtual scheduling algorithm): one word a limit.
 *
 * The word is the theoretical arrival time in CLOCK_MONOTONIC ns. A word in the past is
 * an empty bucket, so nothing expires, nothing is reset after a crash: each prefix of the
 * stores is a valid state, and a hit is one compare-and-swap.
 *
 * Writers   any process (CAS); configuration: the control process.
 * Bound     64 bytes a row.
 */
#ifndef PH_LIMITER_H
#define PH_LIMITER_H

#include "ph_atomics.h"

#define PH_LIMIT_NEVER INT64_MAX

typedef struct ph_limit {
    ph_a64 tat;              /* ns */
    ph_a64 interval;         /* ns a request; 0: unlimited */
    ph_a64 burst;
    ph_a64 pad[5];           /* one line a row: two keys never share it */
} ph_limit;

_Static_assert(sizeof(ph_limit) == 64, "ph_limit is one line");

/* The two words are not one store: a hit in between may be judged by the new interval and
 * the old burst, once; unlimited rows become limited only when both are there. */
static inline void ph_limit_set(ph_limit *row, uint64_t interval, uint64_t burst) {
    if (interval == 0) {
        ph_store_rel(&row->interval, 0);
        return;
    }
    ph_store_rlx(&row->burst, burst);
    ph_store_rel(&row->interval, interval);
}

/* 0: admitted; else the ns until it would be, NEVER if `cost` is above the burst. */
static inline int64_t ph_limit_hit(ph_limit *row, uint64_t now, uint64_t cost) {
    uint64_t interval = ph_load_acq(&row->interval);
    if (interval == 0) {
        return 0;
    }
    uint64_t burst = ph_load_rlx(&row->burst);
    if (cost > burst) {
        return PH_LIMIT_NEVER;
    }
    uint64_t tau = burst * interval, add = cost * interval; /* bounded by ph_limit_ok */
    uint64_t tat = ph_load_rlx(&row->tat);
    for (;;) {
        uint64_t next = (tat > now ? tat : now) + add;
        if (next - now > tau) {
            return (int64_t)(next - now - tau);
        }
        if (ph_cas_rlx(&row->tat, &tat, next)) {
            return 0;
        }
    }
}

/* GCRA is linear: moving the word later is as if the cost had been another from the start. */
static inline void ph_limit_correct(ph_limit *row, int64_t delta) {
    uint64_t interval = ph_load_acq(&row->interval);
    uint64_t tat = ph_load_rlx(&row->tat), next, by;
    uint64_t size = delta < 0 ? 0 - (uint64_t)delta : (uint64_t)delta;
    if (interval == 0 || delta == 0) {
        return;
    }
    if (__builtin_mul_overflow(size, interval, &by) || by > (UINT64_C(1) << 62)) {
        by = UINT64_C(1) << 62;
    }
    do {
        if (delta < 0) {
            next = tat > by ? tat - by : 0;
        } else {
            next = tat < (UINT64_C(1) << 62) ? tat + by : tat;
        }
    } while (!ph_cas_rlx(&row->tat, &tat, next));
}

/* Requests that would be admitted now; -1: unlimited. */
static inline int64_t ph_limit_remaining(const ph_limit *row, uint64_t now) {
    uint64_t interval = ph_load_acq(&row->interval);
    if (interval == 0) {
        return -1;
    }
    uint64_t tau = ph_load_rlx(&row->burst) * interval, tat = ph_load_rlx(&row->tat);
    uint64_t used = tat > now ? tat - now : 0;
    return used >= tau ? 0 : (int64_t)((tau - used) / interval);
}

/* tau and now + tau must fit: at most 2^61 ns (73 years) of burst. */
static inline int ph_limit_ok(uint64_t interval, uint64_t burst) {
    uint64_t tau;
    return !__builtin_mul_overflow(interval, burst, &tau) && tau <= (UINT64_C(1) << 61)
        && (interval == 0 || burst > 0);
}

#endif
