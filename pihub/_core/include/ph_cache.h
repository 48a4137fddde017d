/* The shared answer cache: layout and reading. Writing: ph_cachelog.h, ph_cacheput.h.
 *
 *   head       ph_cache_head: generations of tags, tenants and of the whole
 *   shard x n  ph_shard | buckets | ghosts | log
 *
 * The log is a ring of entries, and an entry's position in it is its version: positions only
 * grow, so "is what I copied still the entry?" is `position >= tail` after the copy. There
 * is no sequence lock, readers write nothing but a two-bit use count, and an entry never
 * changes once its slot is published by one 64-bit store.
 *
 *   position   | lap 26 | offset 26 |   offset in units of 16 bytes; laps from 1
 *   slot       | extra hash 11 | 0 | position 52 |   0: empty
 *   bucket     16 tag bytes (12 used, 0: empty), 16 use counts, 12 slots
 *
 * An entry carries the whole key and the tenant, and both are compared: a hash collision
 * never crosses tenants. It carries the sum of the three generations it was born under;
 * each only grows, so an equal sum says that none has moved.
 *
 * Every prefix of a writer's stores is a valid state (ph_cachelog.h), so a process may be
 * killed anywhere.
 */
#ifndef PH_CACHE_H
#define PH_CACHE_H

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "ph_atomics.h"

#define PH_UNIT 16
#define PH_WAYS 12
#define PH_GENS 4096            /* a tag or tenant shares its counter with those equal modulo this */
#define PH_POS_MASK ((UINT64_C(1) << 52) - 1)
#define PH_OFF_BITS 26
#define PH_OFF_MASK ((UINT64_C(1) << PH_OFF_BITS) - 1)
#define PH_TICK_NS 62500000u    /* expiry is kept in sixteenths of a second: 8 years in u32 */
#define PH_FREQ_MAX 3

typedef struct ph_cache_head {
    ph_a32 generation;          /* clear() */
    ph_a32 pad0;
    ph_a64 refused, busy;
    ph_a64 room;                /* thousandths of each log that may be used; 0: all of it */
    ph_a64 pad1[12];
    ph_a32 tag[PH_GENS];
    ph_a32 tenant[PH_GENS];
} ph_cache_head;

typedef struct ph_shard {
    ph_a32 lock;                /* 0 or its owner: slot << 16 | incarnation */
    ph_a32 pad0[31];
    ph_a64 tail;
    ph_a64 head;
    ph_a64 pad1[14];
    ph_a64 live_units;          /* these under the lock; counted anew after a death */
    ph_a64 live_entries;
    ph_a64 puts, evicted, moved;
    double age;                 /* what an unused entry must be worth to stay (ph_cachelog.h) */
    double threshold;
    uint64_t look;              /* entries looked at since the threshold was taken */
    uint64_t next_sample;
    uint64_t pad2[7];
} ph_shard;

typedef struct ph_bucket {
    ph_a8 tag[16];
    ph_a8 freq[16];
    ph_a64 slot[PH_WAYS];
} ph_bucket;

typedef struct ph_entry {
    uint32_t units;             /* of 16 bytes, this header included; PH_PAD: the lap ends here */
    uint32_t len;               /* bytes of value, as they lie here */
    uint64_t h1, h2;
    uint32_t tenant;
    uint32_t tag;
    uint32_t generation;
    uint32_t expiry;            /* ticks; fresh before it */
    uint32_t stale;             /* ticks; get_stale before it */
    uint32_t raw;               /* bytes before compression (LZ4 block); 0: as it is */
    double priority;            /* as of the last time it moved */
    float worth;                /* what one hit saves, a unit of memory */
    uint16_t uses;              /* hits, as of the last time it moved; at most 255 */
    uint16_t flags;             /* the caller's */
} ph_entry;

#define PH_PAD UINT32_MAX
#define PH_ENTRY_UNITS 4

_Static_assert(sizeof(ph_shard) == 384, "ph_shard is three blocks of 128 bytes");
_Static_assert(sizeof(ph_bucket) == 128, "ph_bucket is 128 bytes");
_Static_assert(sizeof(ph_entry) == PH_ENTRY_UNITS * PH_UNIT, "ph_entry is four units");
_Static_assert(sizeof(ph_cache_head) == 128 + 8 * PH_GENS, "ph_cache_head");

/* One process's view; computed from the region's length, so alike in all of them. */
typedef struct ph_cache {
    ph_cache_head *head;
    uint8_t *shards;
    uint64_t stride;            /* bytes of a shard */
    uint32_t n_shards;          /* a power of two, at most 16 */
    uint32_t n_buckets, ghost_mask;
    uint64_t cap;               /* units */
    uint64_t log_at;            /* byte offset in a shard */
    uint64_t ghost_at;
    uint32_t owner;
    int writable;
} ph_cache;

/* ---- geometry ---------------------------------------------------------------------- */

#define PH_SHARD_MIN (UINT64_C(8) << 20)

/* Bytes for about `payload` bytes of entries: a bucket of 128 bytes and 32 bytes of ghosts
 * for each 4 KiB, and rounding. */
static inline uint64_t ph_cache_bytes(uint64_t payload) {
    return sizeof(ph_cache_head) + payload + payload / 24 + 16384;
}

/* 0 when `bytes` are too few or too many. */
static int ph_cache_shape(ph_cache *c, uint8_t *base, uint64_t bytes) {
    if (bytes < sizeof(ph_cache_head) + 32768) {
        return 0;
    }
    uint64_t body = bytes - sizeof(ph_cache_head);
    c->head = (ph_cache_head *)base;
    c->shards = base + sizeof(ph_cache_head);
    c->n_shards = 1;
    while (c->n_shards < 16 && body / (c->n_shards * 2) >= PH_SHARD_MIN) {
        c->n_shards *= 2;
    }
    c->stride = body / c->n_shards / 128 * 128;
    c->n_buckets = (uint32_t)(c->stride / (4096 + 128 + 32));
    uint64_t ghosts = 8;
    while (ghosts * 2 <= (uint64_t)c->n_buckets * 8) {
        ghosts *= 2;
    }
    c->ghost_mask = (uint32_t)ghosts - 1;
    c->ghost_at = sizeof(ph_shard) + (uint64_t)c->n_buckets * sizeof(ph_bucket);
    c->log_at = (c->ghost_at + ghosts * 4 + 63) / 64 * 64;
    c->cap = (c->stride - c->log_at) / PH_UNIT;
    return c->cap <= PH_OFF_MASK;
}

static inline uint64_t ph_pos(uint64_t lap, uint64_t off) { return lap << PH_OFF_BITS | off; }

/* Bytes of the largest value: a quarter of a log. */
static inline uint64_t ph_cache_max_value(const ph_cache *c) {
    return c->cap / 4 * PH_UNIT - sizeof(ph_entry);
}

/* ---- where a key lies -------------------------------------------------------------- */

/* The tenant takes part, so that one body asked by many tenants does not crowd a bucket. */
static inline uint64_t ph_cache_mix(uint64_t h1, uint32_t tenant) {
    return h1 + tenant * UINT64_C(0x9E3779B97F4A7C15);
}

static inline ph_shard *ph_cache_shard(const ph_cache *c, uint64_t mix) {
    return (ph_shard *)(c->shards + ((mix >> 48) & (c->n_shards - 1)) * c->stride);
}

static inline ph_bucket *ph_cache_bucket(const ph_cache *c, const ph_shard *s, uint64_t mix) {
    uint64_t i = ((mix & 0xFFFFFFFF) * c->n_buckets) >> 32;
    return (ph_bucket *)((uint8_t *)s + sizeof(ph_shard)) + i;
}

static inline uint8_t ph_cache_tag(uint64_t mix) { return (uint8_t)(mix >> 40) | 0x80; }
static inline uint64_t ph_cache_extra(uint64_t h2) { return h2 << 53; }

static inline uint8_t *ph_cache_at(const ph_cache *c, const ph_shard *s, uint64_t pos) {
    return (uint8_t *)s + c->log_at + (pos & PH_OFF_MASK) * PH_UNIT;
}

/* Bit i: tag byte i equals `tag`. */
static inline unsigned ph_cache_match(const ph_bucket *b, uint8_t tag) {
#if defined(__SSE2__)
    __m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tag);
    __m128i same = _mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag));
    return (unsigned)_mm_movemask_epi8(same) & ((1u << PH_WAYS) - 1);
#elif defined(__ARM_NEON)
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 0, 0, 0, 0};
    uint8x16_t same = vceqq_u8(vld1q_u8((const uint8_t *)b->tag), vdupq_n_u8(tag));
    uint8x16_t set = vandq_u8(same, vld1q_u8(bits));
    return (unsigned)vaddv_u8(vget_low_u8(set)) | (unsigned)vaddv_u8(vget_high_u8(set)) << 8;
#else
    unsigned found = 0;
    for (unsigned i = 0; i < PH_WAYS; i++) {
        found |= (unsigned)(ph_load_rlx8(&b->tag[i]) == tag) << i;
    }
    return found;
#endif
}

static inline uint32_t ph_cache_generation(const ph_cache *c, uint32_t tenant, uint32_t tag) {
    uint32_t sum = ph_load_acq32(&c->head->generation) + ph_load_acq32(&c->head->tenant[tenant % PH_GENS]);
    return tag ? sum + ph_load_acq32(&c->head->tag[tag % PH_GENS]) : sum;
}

static inline uint32_t ph_cache_ticks(uint64_t ns) {
    uint64_t t = ns / PH_TICK_NS;
    return t < UINT32_MAX ? (uint32_t)t : UINT32_MAX;
}

/* ---- reading ----------------------------------------------------------------------- */

typedef struct ph_cache_hit {
    const uint8_t *value;       /* in the log: copy it, then ask ph_cache_still() */
    uint32_t len;
    uint32_t expiry;
    uint32_t raw;               /* 0, or the length that it has unpacked */
    uint32_t flags;
    const ph_shard *shard;
    uint64_t pos;
} ph_cache_hit;

/* Whether all that was read of the hit so far was the entry itself. */
static inline int ph_cache_still(const ph_cache_hit *hit) {
#ifdef PH_NO_REVALIDATION
    (void)hit;                  /* for the test of the tests: it must see torn values */
    return 1;
#else
    ph_fence_acq();
    return hit->pos >= ph_load_rlx(&hit->shard->tail);
#endif
}

/* 1: found, and fresh (or, if `stale`, still within its stale span) at tick `now`. */
static inline int ph_cache_find(const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant,
                                uint32_t now, int stale, ph_cache_hit *hit) {
    uint64_t mix = ph_cache_mix(h1, tenant);
    ph_shard *s = ph_cache_shard(c, mix);
    ph_bucket *b = ph_cache_bucket(c, s, mix);
    for (int attempt = 0; attempt < 3; attempt++) {
        int moved = 0;
        for (unsigned found = ph_cache_match(b, ph_cache_tag(mix)); found; found &= found - 1) {
            unsigned i = (unsigned)__builtin_ctz(found);
            uint64_t slot = ph_load_acq(&b->slot[i]);
            if (slot == 0 || (slot ^ ph_cache_extra(h2)) >> 53) {
                continue;
            }
            ph_entry e;
            hit->pos = slot & PH_POS_MASK;
            hit->shard = s;
            const uint8_t *at = ph_cache_at(c, s, hit->pos);
            memcpy(&e, at, sizeof e);
            if (!ph_cache_still(hit)) {
                moved = 1; /* evicted, or moved on while we looked */
                continue;
            }
            if (e.h1 != h1 || e.h2 != h2 || e.tenant != tenant) {
                continue;
            }
            if (e.generation != ph_cache_generation(c, tenant, e.tag) || now >= (stale ? e.stale : e.expiry)) {
                return 0;
            }
            hit->value = at + sizeof e;
            hit->len = e.len;
            hit->expiry = e.expiry;
            hit->raw = e.raw;
            hit->flags = e.flags;
            uint8_t freq = ph_load_rlx8(&b->freq[i]);
            if (freq < PH_FREQ_MAX && c->writable) {
                ph_store_rlx8(&b->freq[i], freq + 1); /* lazy: a hot key stops writing */
            }
            return 1;
        }
        if (!moved) {
            return 0;
        }
    }
    return 0;
}

#endif
