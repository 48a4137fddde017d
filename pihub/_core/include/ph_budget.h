/* Budgets: what a key, a user, a tenant or a model may spend a day and a month.
 *
 *   | ph_head 128 | row[rows] x 64 | slot[slots] x (head 128 | reserved[rows] x 8) |
 *   row    id u64 | limit[2] | soft[2] | spent[2] | pad         [0] day, [1] month
 *   spent  window 16 | amount 48       the window is the caller's number of a day or month
 *
 * Money that is reserved and not yet settled stands in the cell of the process that reserved
 * it: one writer a cell. A process that dies leaves its cells, and clearing them is exact: there is
 * no instant at which a reservation is counted twice or belongs to nobody. What was spent is
 * one word a window, and a new window's first amount replaces the old one by the same
 * compare-and-swap.
 *
 * Reserving: write the own cell, then add up all of them (seq_cst both, Dekker): of two
 * processes that race for the last of a budget, at least one sees the other. Never is more
 * admitted than the limit; a race may refuse both once, hence the tries.
 * Settling: add to `spent`, then take the reservation back; in between it counts twice,
 * which errs on the safe side, and a death in between leaves the spent amount only.
 *
 * Bound: rows x (64 + 8 x slots) bytes. Amounts: 48 bits, they stop at the ends.
 */
#ifndef PH_BUDGET_H
#define PH_BUDGET_H

#include "ph_layout.h"

#ifndef PH_POINT
#define PH_POINT() ((void)0) /* where another process may come between: tests yield here */
#endif

#define PH_BUDGET_MAX ((INT64_C(1) << 48) - 1)
#define PH_BUDGET_TRIES 4
#define PH_BUDGET_PARTS 8      /* rows of one reservation */

typedef struct ph_budget_row {
    ph_a64 id;                 /* hash of what it is for; 0: free */
    ph_a64 limit[2];           /* 0: none */
    ph_a64 soft[2];            /* 0: none */
    ph_a64 spent[2];
    ph_a64 pad;
} ph_budget_row;

typedef struct ph_budget_slot {
    ph_a64 incarnation;
    ph_a64 pad[15];
} ph_budget_slot;

_Static_assert(sizeof(ph_budget_row) == 64, "ph_budget_row is one line");
_Static_assert(sizeof(ph_budget_slot) == PH_LINE, "ph_budget_slot is padded");

typedef struct ph_budgets {
    ph_budget_row *row;
    uint8_t *slots;
    uint64_t stride;           /* bytes of a slot's cells and their head */
    uint32_t rows;
    uint32_t n_slots;
} ph_budgets;

static inline uint64_t ph_budget_stride(uint32_t rows) {
    return sizeof(ph_budget_slot) + ph_round_up((uint64_t)rows * sizeof(ph_a64), PH_LINE);
}

static inline ph_budget_slot *ph_budget_slot_at(const ph_budgets *b, uint32_t slot) {
    return (ph_budget_slot *)(void *)(b->slots + slot * b->stride);
}

static inline ph_a64 *ph_budget_cell(const ph_budgets *b, uint32_t slot, uint32_t row) {
    return (ph_a64 *)(void *)(b->slots + slot * b->stride + sizeof(ph_budget_slot)) + row;
}

/* Number of the row of `id` (not 0), claimed if it is new and `claim`; -1: none, or full. */
static inline int64_t ph_budget_find(const ph_budgets *b, uint64_t id, int claim) {
    uint32_t at = (uint32_t)((id >> 32) * b->rows >> 32);
    for (uint32_t n = 0; n < b->rows; n++, at = at + 1 < b->rows ? at + 1 : 0) {
        uint64_t found = ph_load_acq(&b->row[at].id);
        if (found == 0) {
            if (!claim) {
                return -1;
            }
            if (ph_cas_acqrel(&b->row[at].id, &found, id)) {
                return at;
            }
        }
        if (found == id) {
            return at;
        }
    }
    return -1;
}

/* What was spent in `window`; a later window that has begun already counts as well. */
static inline int64_t ph_budget_spent(const ph_budget_row *r, int w, uint16_t window) {
    uint64_t word = ph_load_sc(&r->spent[w]);
    return word >> 48 < window ? 0 : (int64_t)(word & PH_BUDGET_MAX);
}

static inline int64_t ph_budget_reserved(const ph_budgets *b, uint32_t row) {
    int64_t sum = 0;
    for (uint32_t slot = 0; slot < b->n_slots; slot++) {
        sum += (int64_t)ph_load_sc(ph_budget_cell(b, slot, row));
    }
    return sum;
}

static inline int64_t ph_budget_clamp(int64_t n) {
    return n < 0 ? 0 : n > PH_BUDGET_MAX ? PH_BUDGET_MAX : n;
}

/* Adds (at most 48 bits) to what was spent in `window`; a window that is over is left alone. */
static inline void ph_budget_spend(ph_budget_row *r, int w, uint16_t window, int64_t amount) {
    uint64_t word = ph_load_rlx(&r->spent[w]), next;
    do {
        if (word >> 48 > window) {
            return;
        }
        int64_t before = word >> 48 < window ? 0 : (int64_t)(word & PH_BUDGET_MAX);
        next = (uint64_t)window << 48 | (uint64_t)ph_budget_clamp(before + amount);
    } while (!ph_cas_sc(&r->spent[w], &word, next));
}

static inline void ph_budget_move(const ph_budgets *b, uint32_t slot, const uint32_t *rows, int n,
                                  int64_t amount) {
    for (int i = 0; i < n; i++) {
        ph_a64 *cell = ph_budget_cell(b, slot, rows[i]);
        ph_store_sc(cell, ph_load_rlx(cell) + (uint64_t)amount);
    }
}

/* 0: reserved. 1 + 2 i + w: row i's window w (0 day, 1 month) has no room, nothing is
 * reserved. -(1 + 2 i + w): reserved, above that soft limit. `force`: no hard limits. */
static inline int ph_budget_reserve(const ph_budgets *b, uint32_t slot, const uint32_t *rows, int n,
                                    int64_t amount, const uint16_t window[2], int force) {
    for (unsigned attempt = 0;; attempt++) {
        int hard = 0, soft = 0;
        ph_budget_move(b, slot, rows, n, amount);
        PH_POINT();
        for (int i = 0; i < n && !hard; i++) {
            const ph_budget_row *r = &b->row[rows[i]];
            int64_t held = ph_budget_reserved(b, rows[i]);
            for (int w = 0; w < 2; w++) {
                int64_t total = held + ph_budget_spent(r, w, window[w]);
                int64_t limit = (int64_t)ph_load_rlx(&r->limit[w]);
                int64_t near = (int64_t)ph_load_rlx(&r->soft[w]);
                if (limit && total > limit && !force) {
                    hard = 1 + 2 * i + w;
                    break;
                }
                if (near && total > near && !soft) {
                    soft = 1 + 2 * i + w;
                }
            }
        }
        if (!hard) {
            return -soft;
        }
        ph_budget_move(b, slot, rows, n, -amount);
        const ph_budget_row *r = &b->row[rows[(hard - 1) / 2]];
        int w = (hard - 1) % 2;
        /* Full without anybody's reservation, mine included: no try will help. */
        if (attempt + 1 == PH_BUDGET_TRIES
            || ph_budget_spent(r, w, window[w]) + amount > (int64_t)ph_load_rlx(&r->limit[w])) {
            return hard;
        }
        for (unsigned spin = 0; spin < (slot + 1) * 4 * (attempt + 1); spin++) {
            ph_pause(); /* not in step with the other one */
        }
    }
}

/* The reservation becomes `actual`; windows of the time of settling. */
static inline void ph_budget_settle(const ph_budgets *b, uint32_t slot, const uint32_t *rows, int n,
                                    int64_t reserved, int64_t actual, const uint16_t window[2]) {
    for (int i = 0; i < n; i++) {
        for (int w = 0; w < 2 && actual; w++) {
            ph_budget_spend(&b->row[rows[i]], w, window[w], actual);
        }
    }
    PH_POINT();
    ph_budget_move(b, slot, rows, n, -reserved);
}

/* A new life of the slot: whatever its former one held is gone. */
static inline void ph_budget_begin(const ph_budgets *b, uint32_t slot, uint64_t incarnation) {
    for (uint32_t row = 0; row < b->rows; row++) {
        ph_store_rlx(ph_budget_cell(b, slot, row), 0);
    }
    ph_store_sc(&ph_budget_slot_at(b, slot)->incarnation, incarnation);
}

/* The dead owner's reservations are dropped, unless the slot has a new owner already.
 * Returns how many rows had one. */
static inline uint32_t ph_budget_recover(const ph_budgets *b, uint32_t slot, uint64_t incarnation) {
    uint32_t dropped = 0;
    if (ph_load_sc(&ph_budget_slot_at(b, slot)->incarnation) != incarnation) {
        return 0;
    }
    for (uint32_t row = 0; row < b->rows; row++) {
        dropped += ph_load_rlx(ph_budget_cell(b, slot, row)) != 0;
        ph_store_sc(ph_budget_cell(b, slot, row), 0);
    }
    return dropped;
}

#endif
