/* The shared answer cache: its locks, slots and logs. Puts and the rest: ph_cacheput.h.
 *
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023) on two logs: new entries go to
 * probation; what was read there moves on to main, the rest leaves a fingerprint ("ghost")
 * by which it enters main directly the next time. Main's tail is appended anew while it
 * was used (CLOCK). Overwriting leaves garbage in a log; while less than 80 % of main is
 * live, nothing live is thrown out: it is moved up to the head instead.
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

static inline ph_entry *ph_cache_entry(const ph_cache *c, ph_shard *s, unsigned log, uint64_t pos) {
    return (ph_entry *)(void *)ph_cache_at(c, s, log, pos);
}

static inline unsigned ph_slot_log(uint64_t slot) { return (unsigned)(slot >> 52) & 1; }

/* Nobody may have it any more: past its stale span, or invalidated. */
static inline int ph_entry_dead(const ph_cache *c, const ph_entry *e, uint32_t now) {
    return now >= e->stale || e->generation != ph_cache_generation(c, e->tenant, e->tag);
}

static inline int ph_slot_live(const ph_shard *s, uint64_t slot) {
    return slot != 0 && (slot & PH_POS_MASK) >= ph_load_rlx(&s->tail[ph_slot_log(slot)]);
}

/* The slot is about to lose its (live) entry. */
static inline void ph_slot_account(const ph_cache *c, ph_shard *s, uint64_t slot) {
    unsigned log = ph_slot_log(slot);
    uint64_t units = ph_cache_entry(c, s, log, slot & PH_POS_MASK)->units;
    ph_bump(&s->live_units[log], 0 - units);
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
            ph_entry *e = ph_cache_entry(c, s, ph_slot_log(slot), slot & PH_POS_MASK);
            if (e->h1 == h1 && e->h2 == h2 && e->tenant == tenant) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* A way for a new key: an empty one, else the least used, probation first, oldest first. */
static inline unsigned ph_slot_victim(const ph_shard *s, const ph_bucket *b) {
    unsigned best = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < PH_WAYS; i++) {
        uint64_t slot = ph_load_rlx(&b->slot[i]);
        if (!ph_slot_live(s, slot)) {
            return i;
        }
        uint64_t worth = (uint64_t)ph_load_rlx8(&b->freq[i]) << 53 | (slot & (PH_POS_MASK | UINT64_C(1) << 52));
        if (worth < least) {
            least = worth;
            best = i;
        }
    }
    return best;
}

/* ---- the logs ----------------------------------------------------------------------- */

/* Where `units` would go: here, or at the start of the next lap. */
static inline uint64_t ph_log_next(const ph_cache *c, const ph_shard *s, unsigned log, uint64_t units) {
    uint64_t head = ph_load_rlx(&s->head[log]);
    if ((head & PH_OFF_MASK) + units <= c->cap[log]) {
        return head;
    }
    return ph_pos((head >> PH_OFF_BITS) + 1, 0);
}

/* What the tail must have reached before `units` may be written at `pos`. */
static inline int ph_log_free(const ph_shard *s, unsigned log, uint64_t pos, uint64_t units) {
    return ph_load_rlx(&s->tail[log]) >= pos - ph_pos(1, 0) + units;
}

/* Write an entry at the head, for which there is room, and publish it. `from` may overlap
 * the place (an entry moved up within its log). Returns the position. */
static inline uint64_t ph_log_append(const ph_cache *c, ph_shard *s, unsigned log, const ph_entry *e,
                                     const uint8_t *value) {
    uint64_t head = ph_load_rlx(&s->head[log]);
    uint64_t pos = ph_log_next(c, s, log, e->units), units = e->units;
    ph_entry copy = *e;
    ph_fence_rel(); /* the tail is visible before the first overwritten byte */
    uint8_t *at = ph_cache_at(c, s, log, pos);
    memmove(at + sizeof copy, value, copy.len);
    memcpy(at, &copy, sizeof copy);
    if (pos != head && (head & PH_OFF_MASK) < c->cap[log]) {
        ph_cache_entry(c, s, log, head)->units = PH_PAD;
    }
    ph_store_rel(&s->head[log], pos + units);
    return pos;
}

static void ph_log_room(const ph_cache *c, ph_shard *s, unsigned log, uint64_t units, uint32_t now,
                        uint64_t *budget);

static inline void ph_ghost_add(const ph_cache *c, ph_shard *s, uint64_t h2) {
    uint32_t *ghost = (uint32_t *)(void *)((uint8_t *)s + c->ghost_at);
    ghost[(h2 >> 11) & c->ghost_mask] = (uint32_t)(h2 >> 32) | 1;
}

/* Whether the key was thrown out of probation not long ago; the ghost is used up. */
static inline int ph_ghost_take(const ph_cache *c, ph_shard *s, uint64_t h2) {
    uint32_t *ghost = (uint32_t *)(void *)((uint8_t *)s + c->ghost_at) + ((h2 >> 11) & c->ghost_mask);
    int seen = *ghost == ((uint32_t)(h2 >> 32) | 1);
    if (seen) {
        *ghost = 0;
    }
    return seen;
}

/* Move the tail past one entry: keep it elsewhere if it is worth it, else let it go. */
static void ph_log_evict(const ph_cache *c, ph_shard *s, unsigned log, uint32_t now, uint64_t *budget) {
    uint64_t tail = ph_load_rlx(&s->tail[log]);
    ph_entry *e = ph_cache_entry(c, s, log, tail);
    uint64_t off = tail & PH_OFF_MASK;
    if (off >= c->cap[log] || e->units == PH_PAD) {
        ph_store_rlx(&s->tail[log], ph_pos((tail >> PH_OFF_BITS) + 1, 0));
        return;
    }
    uint64_t units = e->units, after = tail + units;
    if (units < PH_ENTRY_UNITS || off + units > c->cap[log] || e->len > units * PH_UNIT - sizeof *e) {
        /* Not our bytes (a stray write): drop the whole log rather than follow it. */
        ph_store_rlx(&s->tail[log], ph_load_rlx(&s->head[log]));
        return;
    }
    uint64_t slot = ph_cache_extra(e->h2) | (uint64_t)log << 52 | tail;
    ph_bucket *b = ph_cache_bucket(c, s, ph_cache_mix(e->h1, e->tenant));
    int i = ph_slot_index(b, slot);
    if (i < 0) {
        ph_store_rlx(&s->tail[log], after);
        return;
    }
    uint8_t freq = ph_load_rlx8(&b->freq[i]);
    int roomy = ph_load_rlx(&s->live_units[1]) * 10 < c->cap[1] * 8;
    int dead = ph_entry_dead(c, e, now);
    if (dead || !(roomy || freq) || *budget < units) {
        if (!dead && log == 0) {
            ph_ghost_add(c, s, e->h2);
        }
        ph_slot_clear(c, s, b, (unsigned)i);
        ph_store_rlx(&s->tail[log], after);
        ph_bump(&s->evicted, 1);
        return;
    }
    *budget -= units;
    uint64_t pos;
    if (log == 0) {
        /* The original stays readable until its slot has moved. */
        ph_log_room(c, s, 1, units, now, budget);
        pos = ph_log_append(c, s, 1, e, (uint8_t *)(e + 1));
        ph_bump(&s->live_units[0], 0 - units);
        ph_bump(&s->live_units[1], units);
        freq = 0;
    } else {
        /* Room at the head is at least what the tail has just given up, so it fits; for
         * this moment the entry is not there. A death here loses it, and nothing else. */
        ph_store_rlx(&s->tail[1], after);
        pos = ph_log_append(c, s, 1, e, (uint8_t *)(e + 1));
        freq -= !roomy;
    }
    ph_store_rel(&b->slot[i], (slot >> 53 << 53) | UINT64_C(1) << 52 | pos);
    ph_store_rlx8(&b->freq[i], freq);
    if (log == 0) {
        ph_store_rlx(&s->tail[0], after);
    }
}

static void ph_log_room(const ph_cache *c, ph_shard *s, unsigned log, uint64_t units, uint32_t now,
                        uint64_t *budget) {
    while (!ph_log_free(s, log, ph_log_next(c, s, log, units), units)) {
        ph_log_evict(c, s, log, now, budget);
    }
}

#endif
