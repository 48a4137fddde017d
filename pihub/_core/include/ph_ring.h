/* Rings of 128-byte records: one producer each, one consumer, the oldest is overwritten.
 *
 *   | ph_head 128 | ring 0 | ring 1 | ...
 *   ring: | head u64, pad to 128 | record[capacity] x 128 |
 *
 * `head` counts records ever pushed; record i lies in slot i mod capacity. The producer never
 * looks at the consumer. A consumer copies record i, fences, re-reads `head`: the copy is
 * whole if head - i < capacity, because the producer may be writing number `head` right then,
 * into the slot of number head - capacity. So capacity - 1 records are safe to read.
 *
 * A producer killed inside of a push has not moved `head`: its half record is not published,
 * and the next incarnation writes it anew. The copy races formally with the overwriting, as
 * in every sequence lock; the check afterwards throws such a copy away.
 */
#ifndef PH_RING_H
#define PH_RING_H

#include <string.h>

#include "ph_layout.h"

typedef struct ph_rings {
    uint8_t *base;             /* ring 0 */
    uint64_t stride;           /* bytes from ring to ring */
    uint32_t rings;
    uint32_t capacity;         /* records, a power of two */
} ph_rings;

static inline uint64_t ph_rings_stride(uint32_t capacity) {
    return PH_LINE + (uint64_t)capacity * sizeof(ph_event);
}

static inline ph_a64 *ph_ring_head(const ph_rings *r, uint32_t ring) {
    return (ph_a64 *)(r->base + ring * r->stride);
}

static inline uint8_t *ph_ring_record(const ph_rings *r, uint32_t ring, uint64_t i) {
    return r->base + ring * r->stride + PH_LINE + (i & (r->capacity - 1)) * sizeof(ph_event);
}

/* Caller checks ring < rings and is its only producer. */
static inline void ph_ring_push(const ph_rings *r, uint32_t ring, const ph_event *event) {
    ph_a64 *head = ph_ring_head(r, ring);
    uint64_t i = ph_load_rlx(head);
    ph_fence_rel();            /* the previous head is seen before these bytes change */
    uint8_t *to = ph_ring_record(r, ring, i);
    const uint64_t *from = (const uint64_t *)(const void *)event;
    /* The times are written last, just before: a wider load would wait until those stores have
     * left the store buffer (6 ns), one of their width is forwarded. */
    uint64_t first[2] = {from[0], from[1]};
    __asm__("" : "+r"(first[0]), "+r"(first[1]));
    memcpy(to, first, sizeof first);
    memcpy(to + sizeof first, from + 2, sizeof(ph_event) - sizeof first);
    ph_store_rel(head, i + 1); /* these bytes are seen before the new head */
    to = ph_ring_record(r, ring, i + 1);
    __builtin_prefetch(to, 1); /* so that the next push finds its two lines near (4 ns) */
    __builtin_prefetch(to + 64, 1);
}

/* The first record number that was surely not being overwritten, given `head`. */
static inline uint64_t ph_ring_oldest(const ph_rings *r, uint64_t head) {
    return head < r->capacity ? 0 : head - r->capacity + 1;
}

/* After copying: which record numbers from here on were copied whole. */
static inline uint64_t ph_ring_safe(const ph_rings *r, uint32_t ring) {
    ph_fence_acq();            /* the copies are done before head is read again */
    return ph_ring_oldest(r, ph_load_rlx(ph_ring_head(r, ring)));
}

#endif
