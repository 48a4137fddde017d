/* Log-linear histograms of u64 values (as HdrHistogram, Tene 2012): 32 buckets an octave.
 *
 *   | ph_head 128 | row 0: series 0, series 1, ... | row 1: ... |
 *   one: | sum u64, pad to 128 | bucket[1920] u64 |                      15,488 bytes
 *
 *   value 0..63: a bucket each.  Above, with e = floor(log2(value)):
 *   bucket = (e - 4) * 32 + the five bits under the leading one
 *
 * A bucket is at most 1/32 of its lowest value wide; its middle is within 1/64 = 1.6 % of any
 * value in it. One writer a row: a record is two loads and two untorn stores (2 ns). The
 * number of values is the sum of the buckets, so count and buckets never disagree.
 */
#ifndef PH_HIST_H
#define PH_HIST_H

#include "ph_layout.h"

#define PH_HIST_BITS 5
#define PH_HIST_SUB (1u << PH_HIST_BITS)
#define PH_HIST_BUCKETS 1920u /* (64 - 5 + 1) * 32 */

typedef struct ph_hist {
    ph_a64 sum;
    uint8_t pad[PH_LINE - 8];
    ph_a64 bucket[PH_HIST_BUCKETS];
} ph_hist;

_Static_assert(sizeof(ph_hist) == 15488 && sizeof(ph_hist) % PH_LINE == 0, "ph_hist is padded");

typedef struct ph_hists {
    ph_hist *base;
    uint32_t rows;
    uint32_t series;
} ph_hists;

static inline uint32_t ph_hist_bucket(uint64_t v) {
    uint32_t shift = 63u - PH_HIST_BITS - (uint32_t)__builtin_clzll(v | PH_HIST_SUB);
    return shift * PH_HIST_SUB + (uint32_t)(v >> shift); /* no branch: below 64 the shift is 0 */
}

static inline uint64_t ph_hist_lowest(uint32_t bucket) {
    if (bucket < 2 * PH_HIST_SUB)
        return bucket;
    return (uint64_t)(PH_HIST_SUB + bucket % PH_HIST_SUB) << (bucket / PH_HIST_SUB - 1);
}

static inline uint64_t ph_hist_highest(uint32_t bucket) {
    if (bucket < 2 * PH_HIST_SUB)
        return bucket;
    return ph_hist_lowest(bucket) + ((1ull << (bucket / PH_HIST_SUB - 1)) - 1);
}

static inline ph_hist *ph_hist_at(const ph_hists *h, uint32_t row, uint32_t series) {
    return h->base + (uint64_t)row * h->series + series;
}

/* Caller checks row < rows and series < h->series, and is the row's only writer. */
static inline void ph_hist_record(const ph_hists *h, uint32_t row, uint32_t series, uint64_t v) {
    ph_hist *one = ph_hist_at(h, row, series);
    ph_bump(&one->bucket[ph_hist_bucket(v)], 1);
    ph_bump(&one->sum, v);
}

/* Adds up the rows of a series into out[PH_HIST_BUCKETS]; returns how many values. */
static inline uint64_t ph_hist_merge(const ph_hists *h, uint32_t series, uint64_t *out) {
    uint64_t total = 0;
    for (uint32_t b = 0; b < PH_HIST_BUCKETS; b++)
        out[b] = 0;
    for (uint32_t row = 0; row < h->rows; row++) {
        ph_hist *one = ph_hist_at(h, row, series);
        for (uint32_t b = 0; b < PH_HIST_BUCKETS; b++)
            out[b] += ph_load_rlx(&one->bucket[b]);
    }
    for (uint32_t b = 0; b < PH_HIST_BUCKETS; b++)
        total += out[b];
    return total;
}

#endif
