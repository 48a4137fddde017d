/* The shared answer cache: what the extension calls to write, free and count.
 *
 * Locking, slots and logs, and the order of stores, are in ph_cachelog.h.
 */
#ifndef PH_CACHEPUT_H
#define PH_CACHEPUT_H

#include <sys/mman.h>

#include "ph_cachelog.h"

enum { PH_PUT_OK = 1, PH_PUT_LARGE = 0, PH_PUT_BUSY = -1 };

#define PH_PUT_BUDGET 16384 /* units moved for the sake of one put: 256 KiB, and 8 x its size */

typedef struct ph_cache_item {
    uint64_t h1, h2;
    const uint8_t *value;
    uint64_t len, raw;         /* raw: bytes before compression, 0: not compressed */
    uint32_t tenant, tag;
    uint32_t expiry, stale;    /* ticks */
    uint16_t flags;
    double saves;              /* by one hit, in any one unit; only ratios matter */
} ph_cache_item;

static int ph_cache_put(const ph_cache *c, const ph_cache_item *item, uint32_t now) {
    if (item->len > ph_cache_max_value(c) || item->len > ph_log_cap(c) / 2 * PH_UNIT) {
        ph_add_rlx(&c->head->refused, 1);
        return PH_PUT_LARGE;
    }
    uint64_t mix = ph_cache_mix(item->h1, item->tenant);
    ph_entry e = {
        .units = (uint32_t)((sizeof e + item->len + PH_UNIT - 1) / PH_UNIT), .len = (uint32_t)item->len,
        .h1 = item->h1, .h2 = item->h2, .tenant = item->tenant, .tag = item->tag, .expiry = item->expiry,
        .stale = item->stale, .raw = (uint32_t)item->raw, .flags = item->flags,
        .generation = ph_cache_generation(c, item->tenant, item->tag),
    };
    e.worth = (float)(item->saves / e.units);
    ph_shard *s = ph_cache_shard(c, mix);
    ph_bucket *b = ph_cache_bucket(c, s, mix);
    if (!ph_cache_lock(c, s, PH_LOCK_NS)) {
        return PH_PUT_BUSY;
    }
    PH_POINT();
    int i = ph_slot_of(c, s, b, mix, item->h1, item->h2, item->tenant);
    unsigned before = ph_ghost_take(c, s, item->h2), hits = 0;
    if (i >= 0) {
        hits = ph_load_rlx8(&b->freq[i]);
        e.uses = ph_cache_entry(c, s, ph_load_rlx(&b->slot[i]))->uses;
        before = 1;
    } else if (before) {
        e.uses = (uint16_t)(1 + (before - 1) / 2);
    } else {
        e.uses = 1;
    }
    e.priority = s->age + (before ? e.uses : PH_NEW) * (double)e.worth;
    ph_effort effort = {.units = PH_PUT_BUDGET + 8 * (uint64_t)e.units};
    ph_log_room(c, s, e.units, now, &effort);
    uint64_t pos = ph_log_append(c, s, &e, item->value);
    i = ph_slot_of(c, s, b, mix, item->h1, item->h2, item->tenant); /* making room may have let it go */
    if (i >= 0) {
        ph_slot_account(c, s, ph_load_rlx(&b->slot[i]));
    } else {
        i = (int)ph_slot_victim(c, s, b);
        if (ph_slot_live(s, ph_load_rlx(&b->slot[i]))) {
            ph_bump(&s->evicted, 1);
        }
        ph_slot_clear(c, s, b, (unsigned)i);
    }
    ph_store_rlx8(&b->freq[i], (uint8_t)hits);
    PH_POINT();
    ph_store_rel(&b->slot[i], ph_cache_extra(item->h2) | pos);
    ph_store_rel8(&b->tag[i], ph_cache_tag(mix));
    PH_POINT();
    ph_bump(&s->live_units, e.units);
    ph_bump(&s->live_entries, 1);
    ph_bump(&s->puts, 1);
    ph_cache_unlock(s);
    return PH_PUT_OK;
}

/* 1: it was there, at least stale; 0: not; PH_PUT_BUSY: the shard stayed locked. */
static int ph_cache_delete(const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant, uint32_t now) {
    uint64_t mix = ph_cache_mix(h1, tenant);
    ph_shard *s = ph_cache_shard(c, mix);
    ph_bucket *b = ph_cache_bucket(c, s, mix);
    if (!ph_cache_lock(c, s, PH_LOCK_LONG_NS)) {
        return PH_PUT_BUSY;
    }
    int i = ph_slot_of(c, s, b, mix, h1, h2, tenant), there = 0;
    if (i >= 0) {
        uint64_t slot = ph_load_rlx(&b->slot[i]);
        there = !ph_entry_dead(c, ph_cache_entry(c, s, slot), now);
        ph_slot_clear(c, s, b, (unsigned)i);
    }
    ph_cache_unlock(s);
    return there;
}

static inline ph_shard *ph_cache_nth(const ph_cache *c, uint32_t i) {
    return (ph_shard *)(void *)(c->shards + i * c->stride);
}

/* Count the live entries of a locked shard; empty the slots of the dead. */
static void ph_shard_recount(const ph_cache *c, ph_shard *s) {
    uint64_t units = 0, entries = 0;
    ph_bucket *b = (ph_bucket *)((uint8_t *)s + sizeof *s);
    for (uint32_t k = 0; k < c->n_buckets; k++, b++) {
        for (unsigned i = 0; i < PH_WAYS; i++) {
            uint64_t slot = ph_load_rlx(&b->slot[i]);
            if (ph_slot_live(s, slot)) {
                units += ph_cache_entry(c, s, slot)->units;
                entries++;
            } else if (slot != 0) {
                ph_store_rlx(&b->slot[i], 0);
                ph_store_rlx8(&b->tag[i], 0);
            }
        }
    }
    ph_store_rlx(&s->live_units, units);
    ph_store_rlx(&s->live_entries, entries);
}

/* Free the locks that the dead `owner` holds; returns how many. */
static uint32_t ph_cache_recover(const ph_cache *c, uint32_t owner) {
    uint32_t freed = 0;
    for (uint32_t i = 0; i < c->n_shards; i++) {
        ph_shard *s = ph_cache_nth(c, i);
        uint32_t want = owner;
        if (owner != 0 && ph_cas_acqrel32(&s->lock, &want, PH_OWNER_RECOVERY)) {
            ph_shard_recount(c, s);
            ph_cache_unlock(s);
            freed++;
        }
    }
    return freed;
}

/* All entries are invalid at once; what can be locked is emptied too. */
static void ph_cache_clear(const ph_cache *c) {
    ph_add_rlx32(&c->head->generation, 1);
    for (uint32_t i = 0; i < c->n_shards; i++) {
        ph_shard *s = ph_cache_nth(c, i);
        if (ph_cache_lock(c, s, PH_LOCK_LONG_NS)) {
            ph_store_rlx(&s->tail, ph_load_rlx(&s->head));
            ph_shard_recount(c, s);
            ph_cache_unlock(s);
        }
    }
}

/* Give back to the system what lies beyond the room of each log; returns the bytes. What is
 * kept there, and what is older, is let go. Pages that were never touched count as well.
 * `base`, `page`: of the arena. Whole pages of it only, counted from its first byte: they are
 * the file's, and a mapping begins where a page does. */
static uint64_t ph_cache_trim(const ph_cache *c, uint32_t now, const uint8_t *base, uint64_t page) {
    uint64_t bytes = 0, cap = ph_log_cap(c);
    for (uint32_t i = 0; i < c->n_shards && cap < c->cap; i++) {
        ph_shard *s = ph_cache_nth(c, i);
        if (!ph_cache_lock(c, s, PH_LOCK_LONG_NS)) {
            continue;
        }
        ph_effort none = {.units = 0};
        if ((ph_load_rlx(&s->head) & PH_OFF_MASK) > cap) {
            ph_store_rlx(&s->tail, ph_load_rlx(&s->head)); /* all of it lies there, or goes with it */
            ph_shard_recount(c, s);
            uint64_t next = ph_pos((ph_load_rlx(&s->head) >> PH_OFF_BITS) + 1, 0);
            ph_store_rlx(&s->tail, next);
            ph_store_rel(&s->head, next);
        }
        while (ph_load_rlx(&s->tail) >> PH_OFF_BITS < ph_load_rlx(&s->head) >> PH_OFF_BITS) {
            ph_log_pass(c, s, now, &none);
        }
        uint64_t log = (uint64_t)((const uint8_t *)s - base) + c->log_at;
        uint64_t from = (log + cap * PH_UNIT + page - 1) / page * page;
        uint64_t to = (log + c->cap * PH_UNIT) / page * page;
        if (from < to && madvise((void *)(uintptr_t)(base + from), to - from, MADV_REMOVE) == 0) {
            bytes += to - from;
        }
        ph_cache_unlock(s);
    }
    return bytes;
}

/* A copy of the header that a slot points at: 1 if it is a living entry's. No lock. */
static int ph_cache_peek(const ph_cache *c, uint32_t shard, uint32_t bucket, unsigned way, uint32_t now,
                         ph_entry *out) {
    ph_shard *s = ph_cache_nth(c, shard);
    const ph_bucket *b = (const ph_bucket *)(const void *)((uint8_t *)s + sizeof *s) + bucket;
    uint64_t slot = ph_load_acq(&b->slot[way]);
    if (slot == 0) {
        return 0;
    }
    memcpy(out, ph_cache_at(c, s, slot & PH_POS_MASK), sizeof *out);
    ph_fence_acq();
    return (slot & PH_POS_MASK) >= ph_load_rlx(&s->tail) && !ph_entry_dead(c, out, now);
}

/* O(1): the entries stay as garbage until the log comes round. */
static inline void ph_cache_tag_next(const ph_cache *c, uint32_t tag) {
    if (tag) {
        ph_add_rlx32(&c->head->tag[tag % PH_GENS], 1);
    }
}

static inline void ph_cache_tenant_next(const ph_cache *c, uint32_t tenant) {
    ph_add_rlx32(&c->head->tenant[tenant % PH_GENS], 1);
}

/* The first opening: laps begin at 1, so that no slot of an entry is 0. */
static void ph_cache_start(const ph_cache *c) {
    for (uint32_t i = 0; i < c->n_shards; i++) {
        ph_shard *s = ph_cache_nth(c, i);
        if (ph_load_rlx(&s->head) == 0) {
            ph_store_rlx(&s->tail, ph_pos(1, 0));
            ph_store_rel(&s->head, ph_pos(1, 0));
        }
    }
}

typedef struct ph_cache_stats {
    uint64_t entries, bytes, capacity, puts, refused, evicted, moved, lock_busy;
} ph_cache_stats;

static void ph_cache_count(const ph_cache *c, ph_cache_stats *out) {
    ph_cache_stats t = {.refused = ph_load_rlx(&c->head->refused), .lock_busy = ph_load_rlx(&c->head->busy)};
    for (uint32_t i = 0; i < c->n_shards; i++) {
        ph_shard *s = ph_cache_nth(c, i);
        t.entries += ph_load_rlx(&s->live_entries);
        t.bytes += ph_load_rlx(&s->live_units) * PH_UNIT;
        t.capacity += c->cap * PH_UNIT;
        t.puts += ph_load_rlx(&s->puts);
        t.evicted += ph_load_rlx(&s->evicted);
        t.moved += ph_load_rlx(&s->moved);
    }
    *out = t;
}

#endif
