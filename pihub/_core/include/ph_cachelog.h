/* The shared answer cache: its locks, slots and log. Puts and the rest: ph_cacheput.h.
 *
 * What goes is decided where the log's tail comes by: an entry is let go, or written anew at
 * the head. Each has a priority, as in GreedyDual-Size-Frequency (Cherkasova, HPL-98-69R1):
 *
 *   priority = age of the cache at its last use + uses x what a hit saves / its size
 *
 * and goes if that is at most `threshold`, the sixteenth part of the priorities of a sample.
 * The age follows the priorities of what goes, an eighth of the way each. A newcomer starts with
 * less than one use, so that what is asked once passes quickly, and leaves a fingerprint
 * ("ghost") with its uses when it goes: the next time it starts from there. Both are the
 * ideas of S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023), kept without its second queue.
 *
 * Overwriting leaves garbage in the log; while less than 80 % of it is live, nothing
 * live is let go: it is moved up to the head instead.
 *
 * One writer a shard, by an owner word. Waiting for it is bounded: a cache write may fail.
 * The order of stores, each prefix of which is a valid state:
 *   1  slots are cleared or moved, then `tail` passes what will be overwritten
 *   2  release fence
 *   3  the entry is written beyond `head`
 *   4  `head` is published, then the slot, then its tag byte
 * A slot whose position is below the tail is empty; nothing ever needs to be undone. The
 * counters of live entries may be off by one entry after a death: ph_cache_recover counts.
 */
#ifndef PH_CACHELOG_H
#define PH_CACHELOG_H

#include <sched.h>

#include "ph_cache.h"

#ifndef PH_POINT
#define PH_POINT() ((void)0) /* where a process may be killed: tests stop here */
#endif

#define PH_OWNER_NONE UINT32_MAX         /* a process that was given no slot */
#define PH_OWNER_RECOVERY (UINT32_MAX - 1)
#define PH_LOCK_NS 50000                 /* how long a put waits */
#define PH_LOCK_LONG_NS 20000000         /* a delete or clear: rare, and must happen */

static int ph_cache_lock(const ph_cache *c, ph_shard *s, uint64_t patience_ns) {
    uint64_t start = 0;
    for (unsigned spin = 0;; spin++) {
        uint32_t want = 0;
        if (ph_load_rlx32(&s->lock) == 0 && ph_cas_acq32(&s->lock, &want, c->owner)) {
            return 1;
        }
        ph_pause();
        if (spin % 32 == 31) {
            uint64_t now = ph_mono_ns();
            if (start == 0) {
                start = now;
            } else if (now - start > patience_ns) {
                ph_add_rlx(&c->head->busy, 1);
                return 0;
            }
            sched_yield(); /* the owner may be waiting for this very core */
        }
    }
}

static inline void ph_cache_unlock(ph_shard *s) { ph_store_rel32(&s->lock, 0); }

/* ---- slots -------------------------------------------------------------------------- */

static inline ph_entry *ph_cache_entry(const ph_cache *c, ph_shard *s, uint64_t pos) {
    return (ph_entry *)(void *)ph_cache_at(c, s, pos & PH_POS_MASK);
}

/* Nobody may have it any more: past its stale span, or invalidated. */
static inline int ph_entry_dead(const ph_cache *c, const ph_entry *e, uint32_t now) {
    return now >= e->stale || e->generation != ph_cache_generation(c, e->tenant, e->tag);
}

static inline int ph_slot_live(const ph_shard *s, uint64_t slot) {
    return slot != 0 && (slot & PH_POS_MASK) >= ph_load_rlx(&s->tail);
}

/* The slot is about to lose its (live) entry. */
static inline void ph_slot_account(const ph_cache *c, ph_shard *s, uint64_t slot) {
    ph_bump(&s->live_units, 0 - (uint64_t)ph_cache_entry(c, s, slot)->units);
    ph_bump(&s->live_entries, 0 - (uint64_t)1);
}

static inline void ph_slot_clear(const ph_cache *c, ph_shard *s, ph_bucket *b, unsigned i) {
    uint64_t slot = ph_load_rlx(&b->slot[i]);
    if (ph_slot_live(s, slot)) {
        ph_slot_account(c, s, slot);
    }
    ph_store_rlx(&b->slot[i], 0);
    ph_store_rlx8(&b->tag[i], 0);
}

/* The way whose slot is exactly `slot`, -1: the entry is garbage. */
static inline int ph_slot_index(const ph_bucket *b, uint64_t slot) {
    for (int i = 0; i < PH_WAYS; i++) {
        if (ph_load_rlx(&b->slot[i]) == slot) {
            return i;
        }
    }
    return -1;
}

/* The way of a key, -1: none. */
static inline int ph_slot_of(const ph_cache *c, ph_shard *s, const ph_bucket *b, uint64_t mix,
                             uint64_t h1, uint64_t h2, uint32_t tenant) {
    for (unsigned found = ph_cache_match(b, ph_cache_tag(mix)); found; found &= found - 1) {
        unsigned i = (unsigned)__builtin_ctz(found);
        uint64_t slot = ph_load_rlx(&b->slot[i]);
        if (ph_slot_live(s, slot)) {
            ph_entry *e = ph_cache_entry(c, s, slot);
            if (e->h1 == h1 && e->h2 == h2 && e->tenant == tenant) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* ---- what an entry is worth ---------------------------------------------------------- */

#define PH_SAMPLE 128
#define PH_SHARE 16            /* of a sample, one in so many may go */
#define PH_NEW 0.55            /* the uses that a newcomer is credited with */
#define PH_USES_MAX 255

/* Priority with the hits since it last moved, which the bucket has counted. */
static inline double ph_entry_priority(const ph_shard *s, const ph_entry *e, unsigned hits) {
    unsigned uses = e->uses + hits < PH_USES_MAX ? e->uses + hits : PH_USES_MAX;
    return hits ? s->age + uses * (double)e->worth : e->priority;
}

/* A way for a new key: an empty one, else the least worth. */
static inline unsigned ph_slot_victim(const ph_cache *c, ph_shard *s, const ph_bucket *b) {
    unsigned best = 0;
    double least = 0;
    for (unsigned i = 0; i < PH_WAYS; i++) {
        uint64_t slot = ph_load_rlx(&b->slot[i]);
        if (!ph_slot_live(s, slot)) {
            return i;
        }
        double p = ph_entry_priority(s, ph_cache_entry(c, s, slot), ph_load_rlx8(&b->freq[i]));
        if (i == 0 || p < least) {
            least = p;
            best = i;
        }
    }
    return best;
}

/* The threshold anew: the lowest sixteenth of the priorities in some buckets. */
static void ph_shard_sample(const ph_cache *c, ph_shard *s) {
    enum { KEEP = PH_SAMPLE / PH_SHARE + 1 };
    double low[KEEP];
    uint64_t seed = ph_load_rlx(&s->head) * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t at = (seed >> 32) % c->n_buckets, step = 1, n = 0, kept = 0;
    if (c->n_buckets > PH_SAMPLE) {
        step = (seed >> 16 & 0xFFFF) % (c->n_buckets / PH_SAMPLE) + 1;
    }
    for (uint64_t k = 0; k < c->n_buckets && k < 4 * PH_SAMPLE && n < PH_SAMPLE; k++) {
        const ph_bucket *b = (const ph_bucket *)(const void *)((uint8_t *)s + sizeof *s) + at;
        at = at + step < c->n_buckets ? at + step : at + step - c->n_buckets;
        for (unsigned i = 0; i < PH_WAYS && n < PH_SAMPLE; i++) {
            uint64_t slot = ph_load_rlx(&b->slot[i]);
            if (!ph_slot_live(s, slot)) {
                continue;
            }
            double p = ph_entry_priority(s, ph_cache_entry(c, s, slot), ph_load_rlx8(&b->freq[i]));
            n++;
            if (kept == KEEP && p >= low[KEEP - 1]) {
                continue;
            }
            uint64_t j = kept < KEEP ? kept++ : KEEP - 1;
            for (; j > 0 && low[j - 1] > p; j--) {
                low[j] = low[j - 1];
            }
            low[j] = p;
        }
    }
    if (n) {
        s->threshold = low[n / PH_SHARE];
    }
    s->look = 0;
    s->next_sample = ph_load_rlx(&s->live_entries) / 64 + 1;
}

/* ---- the log ------------------------------------------------------------------------- */

/* Units that may be used: less than the log has while memory is short. */
static inline uint64_t ph_log_cap(const ph_cache *c) {
    uint64_t room = ph_load_rlx(&c->head->room);
    return room ? c->cap * room / 1000 : c->cap;
}

/* Where `units` would go: here, or at the start of the next lap. */
static inline uint64_t ph_log_next(const ph_cache *c, const ph_shard *s, uint64_t units) {
    uint64_t head = ph_load_rlx(&s->head);
    if ((head & PH_OFF_MASK) + units <= ph_log_cap(c)) {
        return head;
    }
    return ph_pos((head >> PH_OFF_BITS) + 1, 0);
}

/* What the tail must have reached before `units` may be written at `pos`. */
static inline int ph_log_free(const ph_shard *s, uint64_t pos, uint64_t units) {
    return ph_load_rlx(&s->tail) >= pos - ph_pos(1, 0) + units;
}

/* Write an entry at the head, for which there is room, and publish it. `value` may overlap
 * the place (an entry moved up within the log). Returns the position. */
static inline uint64_t ph_log_append(const ph_cache *c, ph_shard *s, const ph_entry *e, const uint8_t *value) {
    uint64_t head = ph_load_rlx(&s->head);
    uint64_t pos = ph_log_next(c, s, e->units), units = e->units;
    ph_entry copy = *e;
    ph_fence_rel(); /* the tail is visible before the first overwritten byte */
    PH_POINT();
    uint8_t *at = ph_cache_at(c, s, pos);
    memmove(at + sizeof copy, value, copy.len);
    PH_POINT();
    memcpy(at, &copy, sizeof copy);
    if (pos != head && (head & PH_OFF_MASK) < c->cap) {
        ph_cache_entry(c, s, head)->units = PH_PAD;
    }
    ph_store_rel(&s->head, pos + units);
    PH_POINT();
    return pos;
}

/* A ghost: 24 bits of the key, 8 bits of its uses. The number of ghosts is about that of
 * entries of 512 bytes; one overwrites another, which is how they age. */
static inline uint32_t *ph_ghost_at(const ph_cache *c, ph_shard *s, uint64_t h2) {
    return (uint32_t *)(void *)((uint8_t *)s + c->ghost_at) + ((h2 >> 11) & c->ghost_mask);
}

static inline void ph_ghost_add(const ph_cache *c, ph_shard *s, uint64_t h2, unsigned uses) {
    *ph_ghost_at(c, s, h2) = (uint32_t)(h2 >> 40 << 8) | (uses < 255 ? uses + 1 : 255);
}

/* Uses of a key that was let go not long ago plus one, 0 if it was not; it is used up. */
static inline unsigned ph_ghost_take(const ph_cache *c, ph_shard *s, uint64_t h2) {
    uint32_t *ghost = ph_ghost_at(c, s, h2), found = *ghost;
    if ((found ^ (uint32_t)(h2 >> 40 << 8)) >> 8) {
        return 0;
    }
    *ghost = 0;
    return found & 0xFF;
}

/* What a put may spend on making room. */
typedef struct ph_effort {
    uint64_t units;            /* to be moved */
    unsigned looked;           /* entries since one was let go */
} ph_effort;

/* Move the tail past one entry: keep it at the head if it is worth it, else let it go. */
static void ph_log_pass(const ph_cache *c, ph_shard *s, uint32_t now, ph_effort *effort) {
    uint64_t tail = ph_load_rlx(&s->tail);
    ph_entry *e = ph_cache_entry(c, s, tail);
    uint64_t off = tail & PH_OFF_MASK;
    if (off >= c->cap || e->units == PH_PAD) {
        ph_store_rlx(&s->tail, ph_pos((tail >> PH_OFF_BITS) + 1, 0));
        return;
    }
    uint64_t units = e->units, after = tail + units;
    if (units < PH_ENTRY_UNITS || off + units > c->cap || e->len > units * PH_UNIT - sizeof *e) {
        /* Not our bytes (a stray write): drop the whole log rather than follow it. */
        ph_store_rlx(&s->tail, ph_load_rlx(&s->head));
        return;
    }
    uint64_t slot = ph_cache_extra(e->h2) | tail;
    ph_bucket *b = ph_cache_bucket(c, s, ph_cache_mix(e->h1, e->tenant));
    int i = ph_slot_index(b, slot);
    if (i < 0) {
        ph_store_rlx(&s->tail, after);
        return;
    }
    if (s->look++ >= s->next_sample) {
        ph_shard_sample(c, s);
    }
    unsigned hits = ph_load_rlx8(&b->freq[i]);
    double priority = ph_entry_priority(s, e, hits);
    int roomy = ph_load_rlx(&s->live_units) * 10 < ph_log_cap(c) * 8;
    int dead = ph_entry_dead(c, e, now), low = priority <= s->threshold;
    unsigned uses = e->uses + hits < PH_USES_MAX ? e->uses + hits : PH_USES_MAX;
    /* It always fits where the tail was, unless the log has just been made shorter. */
    uint64_t next = ph_log_next(c, s, units);
    int fits = after >= next - ph_pos(1, 0) + units;
    if (dead || !fits || effort->units < units || (!roomy && (low || ++effort->looked > 4 * PH_SHARE))) {
        if (!dead) {
            ph_ghost_add(c, s, e->h2, uses);
        }
        if (low && !dead && priority > s->age) {
            s->age += (priority - s->age) / 8;
        }
        ph_slot_clear(c, s, b, (unsigned)i);
        ph_store_rlx(&s->tail, after);
        ph_bump(&s->evicted, 1);
        effort->looked = 0;
        return;
    }
    effort->units -= units;
    /* Room at the head is at least what the tail has just given up, so it fits; for this
     * moment the entry is not there. A death here loses it, and nothing else. */
    ph_entry copy = *e;
    copy.priority = priority;
    copy.uses = (uint16_t)uses;
    ph_store_rlx(&s->tail, after);
    PH_POINT();
    uint64_t pos = ph_log_append(c, s, &copy, (uint8_t *)(e + 1));
    ph_store_rel(&b->slot[i], (slot >> 53 << 53) | pos);
    ph_store_rlx8(&b->freq[i], 0);
    ph_bump(&s->moved, 1);
}

static void ph_log_room(const ph_cache *c, ph_shard *s, uint64_t units, uint32_t now, ph_effort *effort) {
    while (!ph_log_free(s, ph_log_next(c, s, units), units)) {
        ph_log_pass(c, s, now, effort);
    }
}

#endif
