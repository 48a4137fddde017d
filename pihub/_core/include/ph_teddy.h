/* Teddy: which of some dozens of literals occurs first, 16 or 32 places at a time.
 *
 * Hyperscan's algorithm (Wang et al., NSDI 2019, section 4; Langdale's Teddy, 2015): each
 * literal belongs to one of 8 buckets; six 16-entry tables hold, for each nibble of the first
 * three bytes, the buckets that allow it. The AND of three shifted lookups leaves candidates;
 * each is confirmed against the bucket's literals, folded, so what is told is exact.
 * Without a byte shuffle (SSE2 alone) a two-byte bitmap finds the candidates.
 *
 * Process memory, read-only once built: 9 KiB + 24 bytes a literal + their bytes.
 */
#ifndef PH_TEDDY_H
#define PH_TEDDY_H

#include <stdlib.h>

#include "ph_class.h"
#include "ph_matcher.h"

#define PH_TEDDY_MAX 1024

typedef struct ph_literal {
    uint32_t word, mask;        /* the first four bytes, folded */
    uint32_t at, len;           /* in `text` */
    uint32_t index, last;       /* as given; 1: last of its bucket */
} ph_literal;

typedef struct ph_teddy {
    uint8_t lo[3][16], hi[3][16];
    uint8_t pairs[8192];        /* bitmap of folded first two bytes */
    uint16_t bucket[9];         /* first literal of each bucket */
    uint32_t count;
    ph_literal *lits;
    uint8_t *text;
} ph_teddy;

typedef struct ph_hit {
    size_t at;                  /* where it begins */
    uint32_t index;             /* which, UINT32_MAX: none */
} ph_hit;

static inline uint32_t ph_fold4(uint32_t w) {
    uint32_t heavy = w & 0x7F7F7F7Fu;       /* bytes 'A'..'Z': bit 7 of the sum, not of the byte */
    uint32_t upper = (heavy + 0x3F3F3F3Fu) & ~(heavy + 0x25252525u) & ~w & 0x80808080u;
    return w | upper >> 2;
}

/* The literals of `buckets` (a bit each) at p + at. The lowest index that fits, or UINT32_MAX. */
static uint32_t ph_teddy_confirm(const ph_teddy *t, const uint8_t *p, size_t n, size_t at, unsigned buckets) {
    uint32_t w = 0, best = UINT32_MAX;
    if (n - at >= 4) {
        memcpy(&w, p + at, 4);
    } else {
        memcpy(&w, p + at, n - at);
    }
    w = ph_fold4(w);
    while (buckets) {
        unsigned b = (unsigned)__builtin_ctz(buckets);
        buckets &= buckets - 1;
        for (unsigned i = t->bucket[b]; i < t->bucket[b + 1]; i++) {
            const ph_literal *l = &t->lits[i];
            if ((w & l->mask) != l->word || l->len > n - at || l->index >= best) {
                continue;
            }
            const uint8_t *want = t->text + l->at;
            uint32_t k = 4;
            while (k < l->len && ph_fold(p[at + k]) == want[k]) {
                k++;
            }
            if (k >= l->len) {
                best = l->index;
            }
        }
    }
    return best;
}

/* The first place from `from` where a literal begins; of several there, the lowest index. */
static ph_hit ph_teddy_scalar(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    for (size_t i = from; i + 2 <= n; i++) {
        unsigned pair = (unsigned)ph_fold(p[i]) << 8 | ph_fold(p[i + 1]);
        if (t->pairs[pair >> 3] >> (pair & 7) & 1) {
            uint32_t found = ph_teddy_confirm(t, p, n, i, 0xFF);
            if (found != UINT32_MAX) {
                return (ph_hit){i, found};
            }
        }
    }
    return (ph_hit){n, UINT32_MAX};
}

#if defined(__x86_64__)
PH_AVX2 static ph_hit ph_teddy_avx2(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    const __m256i nib = _mm256_set1_epi8(15);
    __m256i lo[3], hi[3];
    if (n < from + 34) {
        return ph_teddy_scalar(t, p, n, from);
    }
    for (int k = 0; k < 3; k++) {
        lo[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->lo[k]));
        hi[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->hi[k]));
    }
    for (size_t i = from;;) {
        __m256i all = _mm256_set1_epi8(-1);
        for (int k = 0; k < 3; k++) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(p + i + k));
            __m256i h = _mm256_and_si256(_mm256_srli_epi16(v, 4), nib), l = _mm256_and_si256(v, nib);
            all = _mm256_and_si256(all,
                _mm256_and_si256(_mm256_shuffle_epi8(lo[k], l), _mm256_shuffle_epi8(hi[k], h)));
        }
        if (__builtin_expect(!_mm256_testz_si256(all, all), 0)) {
            uint8_t found[32];
            uint32_t bits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
            _mm256_storeu_si256((__m256i *)found, all);
            for (; bits; bits &= bits - 1) {
                unsigned j = (unsigned)__builtin_ctz(bits);
                uint32_t index = ph_teddy_confirm(t, p, n, i + j, found[j]);
                if (index != UINT32_MAX) {
                    return (ph_hit){i + j, index};
                }
            }
        }
        if (i + 66 > n) {           /* the next full step would read past the end */
            if (i + 34 >= n) {
                return ph_teddy_scalar(t, p, n, i + 32);   /* two-byte literals at the very end */
            }
            i = n - 34;
        } else {
            i += 32;
        }
    }
}

static inline ph_hit ph_teddy_find(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    return ph_has_avx2() ? ph_teddy_avx2(t, p, n, from) : ph_teddy_scalar(t, p, n, from);
}

#elif defined(__aarch64__)
static ph_hit ph_teddy_find(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    if (n < from + 18) {
        return ph_teddy_scalar(t, p, n, from);
    }
    for (size_t i = from;;) {
        uint8x16_t all = vdupq_n_u8(0xFF);
        for (int k = 0; k < 3; k++) {
            uint8x16_t v = vld1q_u8(p + i + k);
            all = vandq_u8(all, vandq_u8(vqtbl1q_u8(vld1q_u8(t->lo[k]), vandq_u8(v, vdupq_n_u8(15))),
                vqtbl1q_u8(vld1q_u8(t->hi[k]), vshrq_n_u8(v, 4))));
        }
        uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(vtstq_u8(all, all)), 4);
        uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(narrow), 0) & 0x8888888888888888u;
        if (bits) {
            uint8_t found[16];
            vst1q_u8(found, all);
            for (; bits; bits &= bits - 1) {
                unsigned j = (unsigned)__builtin_ctzll(bits) >> 2;
                uint32_t index = ph_teddy_confirm(t, p, n, i + j, found[j]);
                if (index != UINT32_MAX) {
                    return (ph_hit){i + j, index};
                }
            }
        }
        if (i + 34 > n) {
            if (i + 18 >= n) {
                return ph_teddy_scalar(t, p, n, i + 16);
            }
            i = n - 18;
        } else {
            i += 16;
        }
    }
}
#else
#define ph_teddy_find ph_teddy_scalar
#endif

static inline void ph_teddy_free(ph_teddy *t) {
    free(t->lits);
    free(t->text);
}

static int ph_literal_order(const void *a, const void *b) {
    uint32_t x = __builtin_bswap32(((const ph_literal *)a)->word);
    uint32_t y = __builtin_bswap32(((const ph_literal *)b)->word);
    return x < y ? -1 : x > y;
}

/* Literals `lits` (word, mask, at, len, index set; text folded), each of 2 bytes or more.
 * Sorted, so that neighbours share a bucket and its tables stay selective. */
static inline void ph_teddy_build(ph_teddy *t) {
    qsort(t->lits, t->count, sizeof *t->lits, ph_literal_order);
    for (unsigned b = 0; b <= 8; b++) {
        t->bucket[b] = (uint16_t)(t->count * b / 8);
    }
    for (unsigned b = 0; b < 8; b++) {
        for (unsigned i = t->bucket[b]; i < t->bucket[b + 1]; i++) {
            const uint8_t *s = t->text + t->lits[i].at;
            unsigned pair = (unsigned)s[0] << 8 | s[1];
            t->pairs[pair >> 3] |= (uint8_t)(1 << (pair & 7));
            for (unsigned k = 0; k < 3; k++) {
                for (unsigned c = 0; c < 16 && k >= t->lits[i].len; c++) {
                    t->lo[k][c] |= (uint8_t)(1 << b);   /* shorter: anything may follow */
                    t->hi[k][c] |= (uint8_t)(1 << b);
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
