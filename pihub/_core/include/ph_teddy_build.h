/* The tables of ph_teddy.h, which includes it. */
#ifndef PH_TEDDY_BUILD_H
#define PH_TEDDY_BUILD_H

static inline void ph_teddy_free(ph_teddy *t) {
    free(t->lits);
    free(t->text);
}

/* Short literals last: they let anything follow, which would spoil the tables of a bucket of long ones. */
static int ph_literal_order(const void *a, const void *b) {
    int s = ((const ph_literal *)a)->len < 4, z = ((const ph_literal *)b)->len < 4;
    if (s != z) {
        return s - z;
    }
    uint32_t x = __builtin_bswap32(((const ph_literal *)a)->word);
    uint32_t y = __builtin_bswap32(((const ph_literal *)b)->word);
    return x < y ? -1 : x > y;
}

/* Literals `lits` (word, mask, at, len, index set; text folded), each of 2 bytes or more.
 * Sorted, so that neighbours share a bucket and its tables stay selective. */
static inline void ph_teddy_build(ph_teddy *t) {
    qsort(t->lits, t->count, sizeof *t->lits, ph_literal_order);
    unsigned shorts = 0;
    for (unsigned i = 0; i < t->count; i++) {
        shorts += t->lits[i].len < 4;
    }
    unsigned own = shorts && shorts < t->count;             /* a bucket of their own */
    for (unsigned b = 0; b <= 8; b++) {
        t->bucket[b] = (uint16_t)((t->count - (own ? shorts : 0)) * b / (8 - own));
    }
    t->bucket[8] = (uint16_t)t->count;
    t->longs = 0xFF;
    for (unsigned b = 0; b < 8; b++) {
        for (unsigned i = t->bucket[b]; i < t->bucket[b + 1]; i++) {
            const uint8_t *s = t->text + t->lits[i].at;
            unsigned pair = (unsigned)s[0] << 8 | s[1];
            unsigned hash = ph_quad_hash(t->lits[i].word);
            t->pairs[pair >> 3] |= (uint8_t)(1 << (pair & 7));
            if (t->lits[i].len >= 4) {
                t->quads[hash >> 3] |= (uint8_t)(1 << (hash & 7));
            } else {
                t->shorts[pair >> 3] |= (uint8_t)(1 << (pair & 7));
                t->longs &= (uint8_t)~(1 << b);
            }
            for (unsigned k = 0; k < PH_TEDDY_BYTES; k++) {
                for (unsigned c = 0; c < 16 && k >= t->lits[i].len; c++) {
                    t->lo[k][c] |= (uint8_t)(1 << b);   /* shorter: anything may follow */
                    t->hi[k][c] |= (uint8_t)(1 << b);
                }
                for (unsigned c = 0; c < 64; c++) {
                    int fits = k >= t->lits[i].len || c == ph_teddy_letter(s[k]);
                    t->exact[k][c] |= (uint8_t)(fits << b);
                }
                if (k < t->lits[i].len) {
                    t->lo[k][s[k] & 15] |= (uint8_t)(1 << b);
                    t->hi[k][s[k] >> 4] |= (uint8_t)(1 << b);
                    if (s[k] >= 'a' && s[k] <= 'z') {
                        t->hi[k][(s[k] >> 4) - 2] |= (uint8_t)(1 << b);
                    }
                }
            }
        }
    }
}
#endif
