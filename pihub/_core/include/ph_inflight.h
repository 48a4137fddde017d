/* Who is answering which key, over all workers: a table of leases.
 *
 *   word     | tag 19 | worker 7 | lease end 38 |     CLOCK_MONOTONIC ms (8 years); 0: free
 *   waiters  one bit a worker slot (slot modulo 64)
 *
 * Eight words and their waiters are a bucket. A key is led by the worker whose word holds
 * its tag. Two keys of one tag in one bucket are taken for the same: the second waits for
 * the first and then, woken, finds no answer and asks again. It never gets a wrong answer,
 * since answers come from the cache under the whole key.
 *
 * Leading: CAS a free word, then look through the WHOLE bucket again. If the tag is there
 * twice, both step back: in sequential order the later claim always sees the earlier one.
 * Following: set the bit, then look at the word again (Dekker): if it is still led, its
 * leader's end() sees the bit. All of this is seq_cst; x86 would forgive less, not ARM.
 *
 * A wake-up is a hint: whoever is woken asks the cache, then calls begin() again.
 * Writers   any process. A leader that dies is cleared by recover() or by its lease's end.
 * Bound     16 bytes a word.
 */
#ifndef PH_INFLIGHT_H
#define PH_INFLIGHT_H

#include <unistd.h>

#include "ph_atomics.h"

#ifndef PH_POINT
#define PH_POINT() ((void)0) /* where another process may come between: tests yield here */
#endif

#define PH_FL_WAYS 8
#define PH_FL_TRIES 64
#define PH_FL_LEASE ((UINT64_C(1) << 38) - 1)
#define PH_FL_WHO(w) ((w) >> 38)          /* tag and worker: whose lead it is */
#define PH_FL_TAG(w) ((w) >> 45)
#define PH_FL_WORKER(w) ((unsigned)((w) >> 38) & 0x7F)

typedef struct ph_flight_bucket {
    ph_a64 word[PH_FL_WAYS];
    ph_a64 waiters[PH_FL_WAYS];
} ph_flight_bucket;

_Static_assert(sizeof(ph_flight_bucket) == 128, "a bucket is 128 bytes");

typedef struct ph_flights {
    ph_flight_bucket *buckets;
    uint64_t n;
    const int *eventfd;       /* by slot */
    unsigned n_fds;
} ph_flights;

enum { PH_FL_LEAD = 1, PH_FL_FOLLOW = 0, PH_FL_FULL = -1 };

static inline uint64_t ph_fl_word(uint64_t h, unsigned slot, uint64_t until) {
    uint64_t end = until & PH_FL_LEASE;
    return (h & 0x7FFFF) << 45 | (uint64_t)slot << 38 | (end ? end : 1);
}

/* Tag and bucket come from different bits of a well-mixed hash. */
static inline ph_flight_bucket *ph_fl_bucket(const ph_flights *f, uint64_t h) {
    return &f->buckets[((h >> 32) * f->n) >> 32];
}

static inline int ph_fl_live(uint64_t w, uint64_t now) {
    return w != 0 && now < (w & PH_FL_LEASE);
}

static inline void ph_fl_write(const ph_flights *f, unsigned slot) {
    uint64_t one = 1;
    ssize_t n = write(f->eventfd[slot], &one, sizeof one);
    (void)n; /* EAGAIN: the counter is full, so the worker is awake already */
}

static inline void ph_fl_wake(const ph_flights *f, uint64_t waiters) {
    while (waiters) {
        unsigned bit = (unsigned)__builtin_ctzll(waiters);
        waiters &= waiters - 1;
        for (unsigned slot = bit; slot < f->n_fds; slot += 64) {
            ph_fl_write(f, slot);
        }
    }
}

/* Free a word that is `w`, then wake: a bit that is set after the look at the bits belongs to a
 * follower that will see the word gone. Most have no followers, and a look costs nothing, where an
 * exchange costs as much as the rest. Returns 0 if the word was no longer `w`. */
static inline int ph_fl_release(const ph_flights *f, ph_flight_bucket *b, int i, uint64_t w) {
    if (!ph_cas_sc(&b->word[i], &w, 0)) {
        return 0;
    }
    PH_POINT();
    if (ph_load_sc(&b->waiters[i])) {
        ph_fl_wake(f, ph_xchg_sc(&b->waiters[i], 0));
    }
    return 1;
}

/* The way that leads `h` now, -1 if none. */
static inline int ph_fl_leader(const ph_flight_bucket *b, uint64_t h, uint64_t now, uint64_t *w) {
    for (int i = 0; i < PH_FL_WAYS; i++) {
        *w = ph_load_sc(&b->word[i]);
        if (PH_FL_TAG(*w) == (h & 0x7FFFF) && ph_fl_live(*w, now)) {
            return i;
        }
    }
    return -1;
}

static int ph_fl_begin(const ph_flights *f, uint64_t h, unsigned slot, uint64_t lease, uint64_t now) {
    ph_flight_bucket *b = ph_fl_bucket(f, h);
    uint64_t mine = ph_fl_word(h, slot, now + lease), w, old = 0;
    for (unsigned attempt = 0; attempt < PH_FL_TRIES; attempt++) {
        int i = ph_fl_leader(b, h, now, &w), doubled = 0;
        if (i >= 0) {
            PH_POINT();
            ph_or_sc(&b->waiters[i], UINT64_C(1) << (slot & 63));
            uint64_t again = ph_load_sc(&b->word[i]);
            if (PH_FL_TAG(again) == PH_FL_TAG(w) && ph_fl_live(again, now)) {
                return PH_FL_FOLLOW;
            }
            continue; /* it ended meanwhile; the stray bit costs one wake-up too many */
        }
        /* The dead lease of this very tag first, so that its followers stay with it. */
        for (int k = 0; k < PH_FL_WAYS; k++) {
            w = ph_load_sc(&b->word[k]);
            if (w != 0 && PH_FL_TAG(w) == (h & 0x7FFFF)) {
                i = k;
                old = w;
                break;
            }
            if (i < 0 && !ph_fl_live(w, now)) {
                i = k;
                old = w;
            }
        }
        if (i < 0) {
            return PH_FL_FULL;
        }
        if (ph_fl_live(old, now)) {
            continue; /* led since the first look */
        }
        PH_POINT();
        if (!ph_cas_sc(&b->word[i], &old, mine)) {
            continue;
        }
        PH_POINT();
        for (int k = 0; k < PH_FL_WAYS; k++) {
            w = ph_load_sc(&b->word[k]);
            doubled |= k != i && PH_FL_TAG(w) == (h & 0x7FFFF) && ph_fl_live(w, now);
        }
        if (!doubled) {
            if (old != 0 && PH_FL_TAG(old) != (h & 0x7FFFF)) {
                ph_fl_wake(f, ph_xchg_sc(&b->waiters[i], 0)); /* a dead leader's, of another key */
            }
            return PH_FL_LEAD;
        }
        ph_fl_release(f, b, i, mine);
        for (unsigned spin = 0; spin < (slot + 1) * 8 * (attempt + 1); spin++) {
            ph_pause(); /* not in step with the other claimant */
        }
    }
    return PH_FL_FULL;
}

/* The word that `slot` holds for `h`, also when its lease has run out; -1: none. */
static inline int ph_fl_own(const ph_flight_bucket *b, uint64_t h, unsigned slot, uint64_t *w) {
    for (int i = 0; i < PH_FL_WAYS; i++) {
        *w = ph_load_sc(&b->word[i]);
        if (*w != 0 && PH_FL_WHO(*w) == PH_FL_WHO(ph_fl_word(h, slot, 1))) {
            return i;
        }
    }
    return -1;
}

static inline int ph_fl_renew(const ph_flights *f, uint64_t h, unsigned slot, uint64_t lease, uint64_t now) {
    ph_flight_bucket *b = ph_fl_bucket(f, h);
    uint64_t w;
    int i = ph_fl_own(b, h, slot, &w);
    return i >= 0 && ph_fl_live(w, now) && ph_cas_sc(&b->word[i], &w, ph_fl_word(h, slot, now + lease));
}

static inline void ph_fl_end(const ph_flights *f, uint64_t h, unsigned slot) {
    ph_flight_bucket *b = ph_fl_bucket(f, h);
    uint64_t w;
    int i;
    while ((i = ph_fl_own(b, h, slot, &w)) >= 0) {
        if (ph_fl_release(f, b, i, w)) {
            return;
        }
    }
}

/* Whether someone waits for what `slot` leads; with `wake` they are told that there is news. */
static inline int ph_fl_news(const ph_flights *f, uint64_t h, unsigned slot, int wake) {
    ph_flight_bucket *b = ph_fl_bucket(f, h);
    uint64_t w, waiters;
    int i = ph_fl_own(b, h, slot, &w);
    if (i < 0) {
        return 0;
    }
    waiters = ph_load_sc(&b->waiters[i]);
    if (wake) {
        ph_fl_wake(f, waiters);
    }
    return waiters != 0;
}

/* Drops what the dead `slot` led. Wakes everyone once: the dead may have freed a word and
 * not yet told its waiters. Returns the number of leads. */
static inline unsigned ph_fl_recover(const ph_flights *f, unsigned slot) {
    unsigned dropped = 0;
    for (uint64_t k = 0; k < f->n; k++) {
        ph_flight_bucket *b = &f->buckets[k];
        for (int i = 0; i < PH_FL_WAYS; i++) {
            uint64_t w = ph_load_sc(&b->word[i]);
            if (w != 0 && PH_FL_WORKER(w) == slot) {
                dropped += (unsigned)ph_cas_sc(&b->word[i], &w, 0);
            }
        }
    }
    for (unsigned s = 0; s < f->n_fds; s++) {
        ph_fl_write(f, s);
    }
    return dropped;
}

#endif
