/* Rows of 64-bit counters: one writer a row, anyone sums.
 *
 *   | ph_head 128 | row 0: columns x 8, padded to 128 | row 1 | ...
 *
 * One writer a row, so an add is a load and an untorn store: no bus lock, nothing shared.
 */
#ifndef PH_COUNTERS_H
#define PH_COUNTERS_H

#include "ph_layout.h"

typedef struct ph_counters {
    uint8_t *base;             /* row 0 */
    uint64_t stride;           /* bytes from row to row, a multiple of PH_LINE */
    uint32_t rows;
    uint32_t columns;
} ph_counters;

static inline uint64_t ph_counters_stride(uint32_t columns) {
    return ph_round_up((uint64_t)columns * sizeof(ph_a64), PH_LINE);
}

static inline ph_a64 *ph_counter_at(const ph_counters *c, uint32_t row, uint32_t column) {
    return (ph_a64 *)(c->base + row * c->stride) + column;
}

/* Caller checks row < rows and column < columns, and is the row's only writer. */
static inline void ph_counter_add(const ph_counters *c, uint32_t row, uint32_t column, int64_t n) {
    ph_bump(ph_counter_at(c, row, column), (uint64_t)n);
}

static inline int64_t ph_counter_total(const ph_counters *c, uint32_t column) {
    uint64_t sum = 0;
    for (uint32_t row = 0; row < c->rows; row++)
        sum += ph_load_rlx(ph_counter_at(c, row, column));
    return (int64_t)sum;
}

#endif
