/* Rings of 128-byte records: one producer each, one consumer, the oldest is overwritten.
 *
 *   | ph_head 128 | ring 0 | ring 1 | ...
 *   ring: | head u64, pad to 128 | alarm u64, pad to 128 | record[capacity] x 128 |
 *
 * `head` counts records ever pushed; record i lies in slot i mod capacity. The producer never
 * looks at the consumer. A consumer copies record i, fences, re-reads `head`: the copy is
 * whole if head - i < capacity, because the producer may be writing number `head` right then,
 * into the slot of number head - capacity. So capacity - 1 records are safe to read.
 *
 * A producer killed inside of a push has not moved `head`: its half record is not published,
 * and the next incarnation writes it anew. The copy races formally with the overwriting, as
 * in every sequence lock; the check afterwards throws such a copy away.
 *
 * `alarm` is the consumer's: the number of records at which the producer writes to its eventfd,
 * once, for the head passes each number once; 0: never. To sleep, the consumer sets it, makes
 * sure that each producer sees it or that it sees the producer's head (ph_ring_settle), and
 * looks at the heads again. That is Dekker's protocol with the producer's fence (5 ns a push)
 * replaced by one of the kernel's that it sends to all processors, paid by who goes to sleep.
 * A producer killed between its head and the write leaves the consumer asleep: whoever buries
 * it writes in its place.
 */
#ifndef PH_RING_H
#define PH_RING_H

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ph_layout.h"

typedef struct ph_rings {
    uint8_t *base;             /* ring 0 */
    uint64_t stride;           /* bytes from ring to ring */
    uint32_t rings;
    uint32_t capacity;         /* records, a power of two */
    int wake;                  /* eventfd of the consumer, of this process; -1: none */
} ph_rings;

#define PH_RING_AT (2 * PH_LINE) /* the records' place in a ring */
#define PH_RING_AHEAD 4          /* records: in a burst, a line takes as long as a few pushes to come */
#define PH_MEMBARRIER_GLOBAL 1   /* membarrier(2), since Linux 4.3 */

static inline uint64_t ph_rings_stride(uint32_t capacity) {
    return PH_RING_AT + (uint64_t)capacity * sizeof(ph_event);
}

static inline ph_a64 *ph_ring_head(const ph_rings *r, uint32_t ring) {
    return (ph_a64 *)(r->base + ring * r->stride);
}

static inline ph_a64 *ph_ring_alarm(const ph_rings *r, uint32_t ring) {
    return (ph_a64 *)(r->base + ring * r->stride + PH_LINE);
}

static inline uint8_t *ph_ring_record(const ph_rings *r, uint32_t ring, uint64_t i) {
    return r->base + ring * r->stride + PH_RING_AT + (i & (r->capacity - 1)) * sizeof(ph_event);
}

/* Half a microsecond, and never twice for one alarm. The descriptor does not block. */
static inline void ph_ring_wake(const ph_rings *r) {
    uint64_t one = 1;
    int before = errno;
    ssize_t n = write(r->wake, &one, sizeof one);
    (void)n;                   /* EAGAIN: full, so it is awake; EBADF: nobody sleeps */
    errno = before;
}

/* After setting alarms: 0 once all stores before the alarms were seen are seen here, too (8 to
 * 16 ms, without CPU); -1 where the kernel or a sandbox does not know the call. */
static inline int ph_ring_settle(void) {
    return (int)syscall(SYS_membarrier, PH_MEMBARRIER_GLOBAL, 0, 0);
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
    atomic_signal_fence(memory_order_seq_cst); /* the processor's part: ph_ring_settle */
    if (ph_unlikely(ph_load_rlx(ph_ring_alarm(r, ring)) == i + 1))
        ph_ring_wake(r);
    to = ph_ring_record(r, ring, i + PH_RING_AHEAD);
    ph_prefetch_write(to);     /* so that a push soon finds its two lines near */
    ph_prefetch_write(to + 64);
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
