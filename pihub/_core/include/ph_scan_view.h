/* One more view of a decoded value: without what a reader behind the hub may drop before it acts.
 *
 * SQL comments between the halves of a word (un / * * / ion), comments up to the line's end
 * (select#x\n1; MySQL 8.0 manual, 11.7), and short tags inside of a word (o<x>nclick), which filters
 * strip. One pass, never longer than its input.
 */
#ifndef PH_SCAN_VIEW_H
#define PH_SCAN_VIEW_H

#include "ph_scan_block.h"

#define PH_TAG_MOST 8           /* bytes of a tag that hides in a word */

#define PH_PERIOD 64            /* bytes of the longest pattern whose repeats are looked for */
#define PH_REPEATS 16384        /* bytes of repeats that are kept: more than any rule looks at */
#define PH_STRIDE 4096          /* where a repeat is looked for */
#define PH_CUTS 32

typedef struct ph_cuts {
    size_t at[PH_CUTS], dropped[PH_CUTS];
    unsigned count;
} ph_cuts;

/* Without the middle of what is one pattern again and again, in place: of that, rules see the same at its beginning,
 * at its end and in between. No more than PH_CUTS times. What does not repeat costs a copy of itself. */
static size_t ph_unrepeated(uint8_t *p, size_t n, ph_cuts *cuts) {
    size_t m = 0, i = 0;
    while (i + 2 * PH_REPEATS <= n && cuts->count < PH_CUTS) {
        size_t period = 1, end = i + PH_STRIDE;
        while (period <= PH_PERIOD && memcmp(p + i, p + i + period, 4 * PH_PERIOD) != 0) {
            period++;
        }
        if (period <= PH_PERIOD) {
            end = i + period + 4 * PH_PERIOD;
            while (end + 64 <= n && memcmp(p + end, p + end - period, 64) == 0) {
                end += 64;
            }
        }
        size_t drop = end - i > 2 * PH_REPEATS ? (end - i - PH_REPEATS) / period * period : 0;
        size_t keep = drop ? PH_REPEATS / 2 : end - i;
        if (m != i) {
            memmove(p + m, p + i, keep);
        }
        m += keep;
        i += keep + drop;
        if (drop) {
            cuts->at[cuts->count] = m;
            cuts->dropped[cuts->count++] = drop;
        }
    }
    if (m != i) {
        memmove(p + m, p + i, n - i);
    }
    return m + n - i;
}

/* Where what stands at `at` stood before. */
static inline size_t ph_uncut(const ph_cuts *cuts, size_t at) {
    size_t more = 0;
    for (unsigned k = 0; k < cuts->count; k++) {
        more += at >= cuts->at[k] ? cuts->dropped[k] : 0;
    }
    return at + more;
}

/* Where there may be something to leave out for the first time: # -- / * and a < between a letter and a name. n: nowhere.
 * 80 bytes more than the text may be read. */
static size_t ph_strips(const uint8_t *p, size_t n) {
#ifdef PH_CELL
    for (size_t i = 0; i < n; i += 64) {
        ph_cell v[4];
        for (unsigned k = 0; k < 4; k++) {
            ph_cell c = ph_cell_load(p + i + 16 * k), next = ph_cell_load(p + i + 16 * k + 1);
            v[k] = ph_cell_or(ph_cell_or(ph_cell_is(c, '#'), ph_cell_is(c, '<')),
                ph_cell_or(ph_cell_and(ph_cell_is(c, '-'), ph_cell_is(next, '-')), ph_cell_and(ph_cell_is(c, '/'), ph_cell_is(next, '*'))));
        }
        for (uint64_t found = ph_cell_bits(v[0], v[1], v[2], v[3]); found; found &= found - 1) {
            size_t at = i + (size_t)__builtin_ctzll(found);
            if (at >= n) {
                break;
            }
            if (p[at] != '<' || (at && ph_lower(p[at - 1]) && (ph_alnum(p[at + 1]) || p[at + 1] == '/'))) {
                return at;
            }
        }
    }
    return n;
#else
    return 0;
#endif
}

static size_t ph_stripped(const uint8_t *p, size_t n, uint8_t *out) {
    size_t m = ph_strips(p, n);
    int no_close = 0;
    if (m == n) {
        return n;
    }
    memcpy(out, p, m);
    for (size_t i = m; i < n;) {
        uint8_t c = p[i];
        if (c == '/' && !no_close && i + 3 < n && p[i + 1] == '*' && p[i + 2] != '!') {
            size_t k = i + 2;
            const uint8_t *star = p + k;
            while ((star = (const uint8_t *)memchr(star, '*', (size_t)(p + n - star))) && (star + 1 >= p + n || star[1] != '/')) {
                star++;
            }
            if (star) {
                i = (size_t)(star - p) + 2;
                continue;
            }
            no_close = 1;
        } else if (c == '#' || (c == '-' && i + 1 < n && p[i + 1] == '-')) {
            const uint8_t *line = (const uint8_t *)memchr(p + i, '\n', n - i);
            if (line) {
                out[m++] = ' ';
                i = (size_t)(line - p) + 1;
                continue;
            }
            memcpy(out + m, p + i, n - i);
            return m + n - i;
        } else if (c == '<' && m && ph_lower(out[m - 1])) {
            size_t k = i + 1;
            while (k < n && k < i + PH_TAG_MOST && (ph_alnum(p[k]) || p[k] == '/')) {
                k++;
            }
            if (k > i + 1 && k + 1 < n && p[k] == '>' && (ph_lower(p[k + 1]) || p[k + 1] == '(' || p[k + 1] == '=')) {
                i = k + 1;
                continue;
            }
        }
        out[m++] = c;
        i++;
    }
    return m;
}
#endif
