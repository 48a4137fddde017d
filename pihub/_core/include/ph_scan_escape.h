/* Where an escape may begin, and how what is none is copied: sixteen bytes at once. */
#ifndef PH_SCAN_ESCAPE_H
#define PH_SCAN_ESCAPE_H

#include "ph_scan_block.h"

enum { E_PLAIN, E_MARK, E_PLUS };

static const uint8_t ph_blank[16] = {[0 ... 15] = '+' ^ ' '};

/* What ph_unescape looks at. */
static const uint8_t ph_escape[256] = {['%'] = E_MARK, ['&'] = E_MARK, ['\\'] = E_MARK, ['+'] = E_PLUS};

/* What may stand behind which of them, a bit each. */
static const uint8_t ph_escape_next[256] = {
    ['0'] = 1 | 2, ['1'] = 1 | 2, ['2' ... '9'] = 1, ['u'] = 1 | 2 | 4, ['x'] = 1 | 2 | 4, ['#'] = 4,
    ['a' ... 't'] = 1 | 4, ['v' ... 'w'] = 1 | 4, ['y' ... 'z'] = 1 | 4, ['A' ... 'Z'] = 1 | 4, [16 ... 25] = 1,
};
static inline unsigned ph_escape_bit(uint8_t mark) { return mark == '%' ? 1 : mark == '&' ? 4 : 2; }

/* From in[i] on, what stands before the next escape goes to out[m]. How many bytes, sixteen at most. */
PH_FLAT size_t ph_unescaped(const uint8_t *in, size_t n, size_t i, uint8_t *out, size_t m, int plus) {
    size_t k = 0;
#if defined(PH_CELL) && !defined(PH_ESCAPE_ONE)             /* tests/core/test_scanner_unescape.py has it done by each byte */
    if (i + 16 <= n) {
        ph_cell v = ph_cell_load(in + i);
        k = ph_cell_first(ph_cell_or(ph_cell_is(v, '%'), ph_cell_or(ph_cell_is(v, '&'), ph_cell_is(v, '\\'))));
        if (in != out || m + 16 <= i + k) {                 /* no byte is lost that is still to be read */
            ph_cell_store(out + m, plus ? ph_cell_xor(v, ph_cell_and(ph_cell_is(v, '+'), ph_cell_load(ph_blank))) : v);
            return k;
        }
    }
#endif
    size_t end = k ? i + k : n < i + 16 ? n : i + 16;
    for (k = i; k < end && ph_escape[in[k]] != E_MARK; k++) {
        out[m++] = plus && ph_escape[in[k]] == E_PLUS ? ' ' : in[k];
    }
    return k - i;
}
#endif
