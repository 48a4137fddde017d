/* Circuit breakers: one state word and a sliding window of 16 words a row.
 *
 *   state   | kind 2 | generation 20 | until 42 |     until: CLOCK_MONOTONIC ms
 *   window  | epoch 24 | generation 8 | ok 16 | failed 16 |
 *
 * A window word belongs to one sixteenth of the window. Whoever finds it from another
 * epoch or generation starts it anew by the same compare-and-swap that counts; so closing
 * a breaker (a new generation) forgets the old counts without a store, and a process that
 * dies anywhere leaves a valid state. Counts saturate at 65,535 a sixteenth.
 *
 * Half-open: the right to probe is a lease that one caller wins by CAS; a prober that dies
 * lets it run out, and the next caller gets a new one.
 *
 * A hold is a state that somebody chose, until a time: held open, nobody calls; held closed,
 * failures are counted and do not open it. It ends by the clock alone, so a hold outlives the
 * process that set it and never has to be taken back.
 *   hold    | kind + 1: 2 | 20 unused | until 42 |  0: none
 *
 * Writers   any process (CAS); configuration and holds: the control process.
 * Bound     256 bytes a row.
 */
#ifndef PH_BREAKER_H
#define PH_BREAKER_H

#include "ph_atomics.h"

#ifndef PH_POINT
#define PH_POINT() ((void)0) /* where another process may come between: tests yield here */
#endif

enum { PH_CLOSED = 0, PH_OPEN = 1, PH_HALF_OPEN = 2 };

#define PH_WINDOWS 16
#define PH_UNTIL ((UINT64_C(1) << 42) - 1)
#define PH_GEN 0xFFFFF

typedef struct ph_breaker {
    ph_a64 state;
    ph_a64 fail_window;       /* failures << 32 | ms of one window word; 0: always closed */
    ph_a64 open_probe;        /* open ms << 32 | probe lease ms */
    ph_a64 hold;
    ph_a64 pad[12];
    ph_a64 window[PH_WINDOWS];
} ph_breaker;

_Static_assert(sizeof(ph_breaker) == 256, "ph_breaker is two blocks of 128 bytes");

static inline uint64_t ph_br_word(unsigned kind, uint64_t gen, uint64_t until) {
    return (uint64_t)kind << 62 | (gen & PH_GEN) << 42 | (until & PH_UNTIL);
}
static inline unsigned ph_br_kind(uint64_t s) { return (unsigned)(s >> 62); }
static inline uint64_t ph_br_gen(uint64_t s) { return (s >> 42) & PH_GEN; }
static inline uint64_t ph_br_until(uint64_t s) { return s & PH_UNTIL; }

static inline uint64_t ph_br_tag(uint64_t epoch, uint64_t gen) {
    return (epoch & 0xFFFFFF) << 8 | (gen & 0xFF);
}

/* failures and the slice fit 32 bits each; the slice is at least 1 ms. */
static inline void ph_br_set(ph_breaker *b, uint32_t failures, uint32_t window_ms, uint32_t open_ms,
                             uint32_t probe_ms) {
    uint32_t slice = window_ms / PH_WINDOWS ? window_ms / PH_WINDOWS : 1;
    ph_store_rlx(&b->open_probe, (uint64_t)open_ms << 32 | probe_ms);
    ph_store_rel(&b->fail_window, failures ? (uint64_t)failures << 32 | slice : 0);
}

/* The kind that a row's hold word holds now, -1 for none. */
static inline int ph_br_held(uint64_t hold, uint64_t now) {
    return hold != 0 && now < ph_br_until(hold) ? (int)(hold >> 62) - 1 : -1;
}

static inline int ph_br_allow(ph_breaker *b, uint64_t now) {
    uint64_t s = ph_load_acq(&b->state);
    if (ph_likely(ph_br_kind(s) == PH_CLOSED)) {
        return 1;
    }
    if (now < ph_br_until(s)) {
        return 0;
    }
    uint64_t lease = ph_load_rlx(&b->open_probe) & 0xFFFFFFFF;
    PH_POINT();
    return ph_cas_acqrel(&b->state, &s, ph_br_word(PH_HALF_OPEN, ph_br_gen(s) + 1, now + lease));
}

/* ok and failed calls of the window that ends now. */
static inline void ph_br_counts(const ph_breaker *b, uint64_t now, uint64_t *ok, uint64_t *failed) {
    uint64_t slice = ph_load_acq(&b->fail_window) & 0xFFFFFFFF;
    uint64_t gen = ph_br_gen(ph_load_acq(&b->state));
    *ok = *failed = 0;
    if (slice == 0) {
        return;
    }
    uint64_t epoch = now / slice;
    for (unsigned back = 0; back < PH_WINDOWS && back <= epoch; back++) {
        uint64_t w = ph_load_rlx(&b->window[(epoch - back) % PH_WINDOWS]);
        if (w >> 32 == ph_br_tag(epoch - back, gen)) {
            *ok += (w >> 16) & 0xFFFF;
            *failed += w & 0xFFFF;
        }
    }
}

static inline void ph_br_count(ph_breaker *b, uint64_t gen, uint64_t epoch, int ok) {
    ph_a64 *cell = &b->window[epoch % PH_WINDOWS];
    uint64_t w = ph_load_rlx(cell), next;
    do {
        uint64_t good = 0, bad = 0, tag = ph_br_tag(epoch, gen), gap = (w >> 32) - tag;
        if (w == 0) {
            /* never used */
        } else if ((w >> 32 & 0xFF) == (gen & 0xFF)) {
            /* The same sixteenth, or a caller with a later clock was here first. */
            if ((gap >> 8 & 0xFFFFFF) <= 4 * PH_WINDOWS) {
                tag = w >> 32;
                good = (w >> 16) & 0xFFFF;
                bad = w & 0xFFFF;
            }
        } else if ((((w >> 32) - gen) & 0xFF) < 0x80) {
            return; /* the breaker has moved on */
        }
        if (ok) {
            good += good < 0xFFFF;
        } else {
            bad += bad < 0xFFFF;
        }
        next = tag << 32 | good << 16 | bad;
    } while (next != w && !ph_cas_rlx(cell, &w, next));
}

static inline void ph_br_record(ph_breaker *b, int ok, uint64_t now) {
    uint64_t config = ph_load_acq(&b->fail_window);
    uint64_t s = ph_load_acq(&b->state), good, bad;
    if (config == 0) {
        return;
    }
    uint64_t open_until = now + (ph_load_rlx(&b->open_probe) >> 32);
    switch (ph_br_kind(s)) {
    case PH_CLOSED:
        ph_br_count(b, ph_br_gen(s), now / (config & 0xFFFFFFFF), ok);
        if (!ok) {
            ph_br_counts(b, now, &good, &bad);
            if (bad >= config >> 32 && ph_br_held(ph_load_acq(&b->hold), now) != PH_CLOSED) {
                ph_cas_acqrel(&b->state, &s, ph_br_word(PH_OPEN, ph_br_gen(s) + 1, open_until));
            }
        }
        break;
    case PH_HALF_OPEN:
        ph_cas_acqrel(&b->state, &s,
                      ok ? ph_br_word(PH_CLOSED, ph_br_gen(s) + 1, 0)
                         : ph_br_word(PH_OPEN, ph_br_gen(s) + 1, open_until));
        break;
    default: /* open: an answer to a call from before; it says nothing of now */
        break;
    }
}

/* The generation of a probe that `allow` has just granted; 0 while closed. */
static inline uint64_t ph_br_probe(const ph_breaker *b) {
    uint64_t s = ph_load_acq(&b->state);
    return ph_br_kind(s) == PH_HALF_OPEN ? ph_br_gen(s) : 0;
}

/* That probe ended without saying anything of the upstream (its client left): the next caller
 * may probe at once. A probe whose lease has run out has nothing to give back. */
static inline void ph_br_release(ph_breaker *b, uint64_t probe, uint64_t now) {
    uint64_t s = ph_load_acq(&b->state);
    if (ph_br_kind(s) == PH_HALF_OPEN && ph_br_gen(s) == probe && now < ph_br_until(s)) {
        ph_cas_acqrel(&b->state, &s, ph_br_word(PH_HALF_OPEN, probe, now));
    }
}

static inline void ph_br_force(ph_breaker *b, unsigned kind, uint64_t now) {
    uint64_t s = ph_load_acq(&b->state), until = 0;
    if (kind == PH_OPEN) {
        until = now + (ph_load_rlx(&b->open_probe) >> 32);
    } else if (kind == PH_HALF_OPEN) {
        until = now; /* the next caller probes */
    }
    while (!ph_cas_acqrel(&b->state, &s, ph_br_word(kind, ph_br_gen(s) + 1, until))) {
    }
}

/* Open or closed until a time. The hold is stored first: a failure that is recorded between
 * the two must not open what is to be held closed. */
static inline void ph_br_hold(ph_breaker *b, unsigned kind, uint64_t until) {
    ph_store_rel(&b->hold, (uint64_t)(kind + 1) << 62 | (until & PH_UNTIL));
    uint64_t s = ph_load_acq(&b->state);
    while (!ph_cas_acqrel(&b->state, &s,
                          ph_br_word(kind, ph_br_gen(s) + 1, kind == PH_OPEN ? until : 0))) {
    }
}

/* The hold ends now; what it held open is closed again. */
static inline void ph_br_unhold(ph_breaker *b, uint64_t now) {
    int kind = ph_br_held(ph_load_acq(&b->hold), now);
    ph_store_rel(&b->hold, 0);
    if (kind == PH_OPEN) {
        ph_br_force(b, PH_CLOSED, now);
    }
}

#endif
