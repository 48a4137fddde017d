/* The answers that are being streamed right now, one row each.
 *
 *   | ph_head 128 | slot[slots] x (head 128 | row[per slot] x 128) |
 *   state   incarnation 16 | generation 47 | live 1
 *
 * A slot's rows are written by its process alone, but for `cancel`, which anyone may set. The
 * state word is stored last on opening and first on closing, and its generation moves with
 * both: a reader that finds the same word before and after its copy has one stream's row.
 * The numbers inside move on while it copies; each is whole.
 *
 * The rows of a process that died stay live under its incarnation, so that what its clients had
 * received can still be billed: orphan rows are read, then cleared.
 *
 * Bound: 128 bytes a row, taken from the system when first used.
 */
#ifndef PH_STREAMS_H
#define PH_STREAMS_H

#include <string.h>

#include "ph_layout.h"

typedef struct ph_stream {
    ph_a64 state;
    ph_a64 cancel;             /* the state word that is to end; 0: none */
    ph_a64 rid;
    ph_a64 began_ns;           /* CLOCK_MONOTONIC, as all times here */
    ph_a64 first_ns;           /* first token; 0: not yet */
    ph_a64 last_ns;            /* last byte of the upstream */
    ph_a64 bytes;
    ph_a64 tokens;
    ph_a64 stalls;             /* count 24 | longest gap in us 40 */
    ph_a64 key_tenant;         /* key 32 | tenant 16 | route 8 | flags 8 */
    ph_a64 names;              /* model 16 | upstream 16 | alias 16 | 0 */
    ph_a64 input;              /* tokens of the question, estimated */
    ph_a64 wall_ns;            /* wall clock at the beginning */
    ph_a64 pad[3];
} ph_stream;

typedef struct ph_streams_slot {
    ph_a64 incarnation;
    ph_a64 untracked;          /* streams that found no free row */
    ph_a64 pad[14];
} ph_streams_slot;

_Static_assert(sizeof(ph_stream) == PH_LINE, "ph_stream is one line");
_Static_assert(sizeof(ph_streams_slot) == PH_LINE, "ph_streams_slot is one line");

typedef struct ph_streams {
    uint8_t *base;
    uint32_t per_slot;
    uint32_t n_slots;
} ph_streams;

#define PH_STREAM_LIVE(word) ((word) & 1)
#define PH_STREAM_INCARNATION(word) ((word) >> 48)

static inline ph_streams_slot *ph_streams_slot_at(const ph_streams *s, uint32_t slot) {
    return (ph_streams_slot *)(void *)(s->base + (uint64_t)slot * (s->per_slot + 1) * sizeof(ph_stream));
}

static inline ph_stream *ph_stream_at(const ph_streams *s, uint32_t slot, uint32_t i) {
    return (ph_stream *)(void *)(ph_streams_slot_at(s, slot) + 1) + i;
}

/* The next word of a row: its generation is one more. */
static inline uint64_t ph_stream_next(uint64_t word, uint64_t incarnation, int live) {
    uint64_t generation = ((word >> 1) + 1) & ((UINT64_C(1) << 47) - 1);
    return incarnation << 48 | (generation ? generation : 1) << 1 | (uint64_t)live;
}

/* A free row of the slot, looked for from `hint` on; -1: all are taken. */
static inline int64_t ph_stream_free(const ph_streams *s, uint32_t slot, uint32_t hint) {
    for (uint32_t n = 0, i = hint; n < s->per_slot; n++, i++) {
        i = i < s->per_slot ? i : 0;
        if (!PH_STREAM_LIVE(ph_load_rlx(&ph_stream_at(s, slot, i)->state))) {
            return i;
        }
    }
    ph_bump(&ph_streams_slot_at(s, slot)->untracked, 1);
    return -1;
}

/* Bytes (and tokens) have come: 1 if the stream is to end. `stall_ns`: a longer gap counts. */
static inline int ph_stream_tick(ph_stream *r, uint64_t tokens, uint64_t bytes, uint64_t now,
                                 uint64_t stall_ns) {
    uint64_t last = ph_load_rlx(&r->last_ns), gap = now > last ? now - last : 0;
    ph_bump(&r->bytes, bytes);
    if (tokens) {
        if (ph_load_rlx(&r->first_ns) == 0) {
            ph_store_rlx(&r->first_ns, now);
            gap = 0;           /* waiting for the first token is no stall */
        }
        ph_bump(&r->tokens, tokens);
    }
    if (gap > stall_ns && ph_load_rlx(&r->first_ns)) {
        uint64_t stalls = ph_load_rlx(&r->stalls), us = gap / 1000;
        uint64_t longest = stalls & ((UINT64_C(1) << 40) - 1);
        us = us < (UINT64_C(1) << 40) ? us : (UINT64_C(1) << 40) - 1;
        ph_store_rlx(&r->stalls, ((stalls >> 40) + 1) << 40 | (us > longest ? us : longest));
    }
    ph_store_rlx(&r->last_ns, now);
    uint64_t cancel = ph_load_rlx(&r->cancel);
    return cancel != 0 && cancel == ph_load_rlx(&r->state);
}

static inline void ph_stream_close(ph_stream *r) {
    uint64_t word = ph_load_rlx(&r->state);
    ph_store_sc(&r->state, ph_stream_next(word, PH_STREAM_INCARNATION(word), 0));
}

#define PH_STREAM_WHOLE 32 /* of the flags: a paid call that is no stream (shared.events.Flag) */

/* Live streams of a key. The numbers move while it counts: what is opened at the same moment may
 * be missed or counted. A row read is one line, of some 500 a slot. */
static inline uint32_t ph_streams_held(const ph_streams *s, uint64_t key) {
    uint32_t held = 0;
    for (uint32_t slot = 0; slot < s->n_slots; slot++) {
        for (uint32_t i = 0; i < s->per_slot; i++) {
            const ph_stream *r = ph_stream_at(s, slot, i);
            uint64_t whose = ph_load_rlx(&r->key_tenant);
            held += PH_STREAM_LIVE(ph_load_rlx(&r->state)) && whose >> 32 == key
                    && !(whose & PH_STREAM_WHOLE);
        }
    }
    return held;
}

/* A copy of a live row: 1, and 0 if it is free or was being reused. */
static inline int ph_stream_copy(const ph_stream *r, ph_stream *out, uint64_t *word) {
    *word = ph_load_acq(&r->state);
    if (!PH_STREAM_LIVE(*word)) {
        return 0;
    }
    memcpy((void *)out, (const void *)r, sizeof *r);
    ph_fence_acq();
    return ph_load_rlx(&r->state) == *word;
}

#endif
