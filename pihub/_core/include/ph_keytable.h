/* API keys by the SipHash of the token: open addressing, one writer, readers without locks.
 *
 *   | ph_head 128 | ph_keys_head 128 | row[slots] x 64 |       slots: a power of two
 *   row: | sel u64 | h0 u64 | h1 u64 | value[2] x (who u64, expires u64) | pad 8 |
 *
 * h0 also says what the row is: 0 empty (ends a probe), 1 removed (a probe goes on), else the
 * first half of an identity (hashes below 2 are moved up by 2). `sel` counts the writes of the
 * row; value[sel & 1] is the one in force, the other is written next. So a writer killed at
 * any instruction leaves either the old row or the new one:
 *   insert  h1, other value (rlx) | sel + 1 (rel) | h0 (rel)
 *   change                          other value (rlx) | sel + 1 (rel)
 *   remove  h0 = 1 (rel), then fence before the row is used again
 * A reader loads sel, h0, h1, the value; fences; and takes it only if sel and h0 are still
 * the same, else it reads the row again. It never sees a value under another identity.
 *
 * At most 3/4 of the rows are taken. RAM: about 85-170 bytes a key.
 */
#ifndef PH_KEYTABLE_H
#define PH_KEYTABLE_H

#include "ph_layout.h"
#include "ph_siphash.h"

#define PH_KEY_EMPTY 0u
#define PH_KEY_REMOVED 1u

/* flags of a key, the same in shared/scopes.py */
#define PH_KEY_RESTRICTED 0x4000   /* a rule must be asked before it may do anything */
#define PH_KEY_QUOTA 0x8000        /* its tenant has a limit of its own */

typedef struct ph_key_row {
    ph_a64 sel;
    ph_a64 h0;
    ph_a64 h1;
    struct {
        ph_a64 who;            /* key u32 << 32 | tenant u16 << 16 | flags u16 */
        ph_a64 expires;        /* unix seconds, 0: never */
    } value[2];
    uint8_t pad[8];
} ph_key_row;

typedef struct ph_keys_head {
    ph_a64 generation;
    ph_a64 count;
    ph_a64 peppered;           /* 1 once pepper[] is there */
    uint8_t pepper[16];
    uint8_t pad[PH_LINE - 40];
} ph_keys_head;

_Static_assert(sizeof(ph_key_row) == 64, "ph_key_row is one cache line");
_Static_assert(sizeof(ph_keys_head) == PH_LINE, "ph_keys_head is one line");

typedef struct ph_keys {
    ph_keys_head *head;
    ph_key_row *row;
    uint64_t mask;             /* slots - 1 */
    uint64_t capacity;         /* keys: 3/4 of the slots */
} ph_keys;

typedef struct ph_key_id {
    uint32_t key;
    uint16_t tenant;
    uint16_t flags;
} ph_key_id;

static inline uint64_t ph_key_first(uint64_t h0) { return h0 < 2 ? h0 + 2 : h0; }

/* One row, read whole. 1: it is ours and *who, *expires are set; 0: another's; -1: empty. */
static inline int ph_key_read(
    const ph_key_row *row, uint64_t h0, uint64_t h1, uint64_t *who, uint64_t *expires
) {
    for (;;) {
        uint64_t sel = ph_load_acq(&row->sel);
        uint64_t found = ph_load_acq(&row->h0);
        if (found == PH_KEY_EMPTY)
            return -1;
        if (found != h0)
            return 0;
        uint64_t second = ph_load_rlx(&row->h1);
        *who = ph_load_rlx(&row->value[sel & 1].who);
        *expires = ph_load_rlx(&row->value[sel & 1].expires);
        ph_fence_acq();
        /* h0 first: if it is that of a new owner of the row, its sel is seen as well */
        if (ph_load_acq(&row->h0) == h0 && ph_load_rlx(&row->sel) == sel)
            return second == h1;
        ph_pause();            /* the one writer moves on: each turn costs it a whole write */
    }
}

/* Who has the identity (h0, h1); 1 found and alive at `now` (unix seconds), else 0. */
static inline int ph_key_lookup(
    const ph_keys *t, uint64_t h0, uint64_t h1, uint64_t now, ph_key_id *out
) {
    uint64_t who, expires;
    h0 = ph_key_first(h0);
    for (uint64_t n = 0, i = h1; n <= t->mask; n++, i++) {
        int is = ph_key_read(&t->row[i & t->mask], h0, h1, &who, &expires);
        if (is < 0)
            return 0;
        if (is) {
            if (expires != 0 && now >= expires)
                return 0;
            out->key = (uint32_t)(who >> 32);
            out->tenant = (uint16_t)(who >> 16);
            out->flags = (uint16_t)who;
            return 1;
        }
    }
    return 0;
}

/* The request path: who sends this token? About 30 ns. 0 too before the pepper is set. */
static inline int ph_key_find(
    const ph_keys *t, const uint8_t *token, size_t len, uint64_t now, ph_key_id *out
) {
    uint64_t h[2];
    if (ph_unlikely(ph_load_acq(&t->head->peppered) == 0))
        return 0;
    ph_siphash128(t->head->pepper, token, len, h);
    return ph_key_lookup(t, h[0], h[1], now, out);
}

/* ---- the writer ------------------------------------------------------------------- */

static inline void ph_key_write(ph_key_row *row, uint64_t who, uint64_t expires) {
    uint64_t sel = ph_load_rlx(&row->sel);
    ph_fence_rel();            /* the last sel is seen before its other value changes */
    ph_store_rlx(&row->value[(sel + 1) & 1].who, who);
    ph_store_rlx(&row->value[(sel + 1) & 1].expires, expires);
    ph_store_rel(&row->sel, sel + 1);
}

/* 1 done, 0 the table is full. */
static inline int ph_key_put(
    const ph_keys *t, uint64_t h0, uint64_t h1, uint64_t who, uint64_t expires
) {
    ph_key_row *free_row = NULL;
    h0 = ph_key_first(h0);
    for (uint64_t n = 0, i = h1; n <= t->mask; n++, i++) {
        ph_key_row *row = &t->row[i & t->mask];
        uint64_t found = ph_load_rlx(&row->h0);
        if (found == h0 && ph_load_rlx(&row->h1) == h1) {
            ph_key_write(row, who, expires);
            return 1;
        }
        if (free_row == NULL && found <= PH_KEY_REMOVED)
            free_row = row;
        if (found == PH_KEY_EMPTY)
            break;
    }
    if (free_row == NULL || ph_load_rlx(&t->head->count) >= t->capacity)
        return 0;
    ph_fence_rel();            /* a removal is seen before its row changes */
    ph_store_rlx(&free_row->h1, h1);
    ph_key_write(free_row, who, expires);
    ph_store_rel(&free_row->h0, h0);
    ph_bump(&t->head->count, 1);
    return 1;
}

/* 1 removed, 0 was not there. Rows removed at the end of a probe become empty again. */
static inline int ph_key_remove(const ph_keys *t, uint64_t h0, uint64_t h1) {
    h0 = ph_key_first(h0);
    for (uint64_t n = 0, i = h1; n <= t->mask; n++, i++) {
        ph_key_row *row = &t->row[i & t->mask];
        uint64_t found = ph_load_rlx(&row->h0);
        if (found == PH_KEY_EMPTY)
            return 0;
        if (found != h0 || ph_load_rlx(&row->h1) != h1)
            continue;
        ph_store_rel(&row->h0, PH_KEY_REMOVED);
        ph_bump(&t->head->count, (uint64_t)-1);
        if (ph_load_rlx(&t->row[(i + 1) & t->mask].h0) == PH_KEY_EMPTY)
            for (; ph_load_rlx(&t->row[i & t->mask].h0) == PH_KEY_REMOVED; i--)
                ph_store_rel(&t->row[i & t->mask].h0, PH_KEY_EMPTY);
        return 1;
    }
    return 0;
}

/* A writer killed between a row and the count leaves the count one off: recount. */
static inline void ph_key_recount(const ph_keys *t) {
    uint64_t n = 0;
    for (uint64_t i = 0; i <= t->mask; i++)
        n += ph_load_rlx(&t->row[i].h0) > PH_KEY_REMOVED;
    ph_store_rlx(&t->head->count, n);
}

#endif
