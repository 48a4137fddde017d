/* Teddy: which of some dozens of literals occurs first, 16, 32 or 64 places at a time.
 *
 * Hyperscan's algorithm (Wang et al., NSDI 2019, section 4; Langdale's Teddy, 2015): each
 * literal belongs to one of 8 buckets; eight 16-entry tables hold, for each nibble of the first
 * four bytes, the buckets that allow it. The AND of four shifted lookups leaves candidates; a
 * bitmap of hashes of the first four bytes drops nearly all that are none, and the others are
 * confirmed against the bucket's literals, folded, so what is told is exact.
 * Without a byte shuffle (SSE2 alone) a two-byte bitmap finds the candidates.
 *
 * Process memory, read-only once built: 25 KiB + 24 bytes a literal + their bytes.
 */
#ifndef PH_TEDDY_H
#define PH_TEDDY_H

#include <stdlib.h>

#include "ph_class.h"
#include "ph_matcher.h"

#define PH_TEDDY_MAX 1024
#define PH_TEDDY_BYTES 4         /* of a literal that the tables know */

typedef struct ph_literal {
    uint32_t word, mask;        /* the first four bytes, folded */
    uint32_t at, len;           /* in `text` */
    uint32_t index, last;       /* as given; 1: last of its bucket */
} ph_literal;

typedef struct ph_teddy {
    uint8_t lo[PH_TEDDY_BYTES][16], hi[PH_TEDDY_BYTES][16];
    uint8_t exact[PH_TEDDY_BYTES][64];      /* the same by ph_teddy_letter, for ph_plain.h */
    uint8_t pairs[8192];        /* bitmap of folded first two bytes */
    uint8_t quads[8192];        /* bitmap of hashes of their folded first four bytes */
    uint8_t shorts[8192];       /* as `pairs`, of the literals of fewer than four bytes */
    uint8_t longs;              /* buckets without a literal of fewer */
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
        unsigned from = t->bucket[b], end = t->bucket[b + 1], to = end;
        int sorted = t->longs >> b & 1;                   /* then equal words are neighbours */
        while (sorted && from < to) {
            unsigned middle = (from + to) / 2;
            if (__builtin_bswap32(t->lits[middle].word) < __builtin_bswap32(w)) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        for (unsigned i = from; i < end && (!sorted || t->lits[i].word == w); i++) {
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

/* Whether some literal begins with the two bytes at `p`. */
static inline int ph_teddy_pair(const ph_teddy *t, const uint8_t *p) {
    unsigned pair = (unsigned)ph_fold(p[0]) << 8 | ph_fold(p[1]);
    return t->pairs[pair >> 3] >> (pair & 7) & 1;
}

/* Six bits of a byte, case folded: which of the usual bytes it is. */
static inline unsigned ph_teddy_letter(uint8_t c) { return (c & 31u) | (c >> 1 & 32u); }

static inline unsigned ph_quad_hash(uint32_t folded) { return (folded * 0x9E3779B1u) >> 16; }

/* Whether the four bytes at `p` may begin a literal of four or more. */
static inline int ph_teddy_quad(const ph_teddy *t, const uint8_t *p) {
    uint32_t w;
    memcpy(&w, p, sizeof w);
    unsigned hash = ph_quad_hash(ph_fold4(w));
    return t->quads[hash >> 3] >> (hash & 7) & 1;
}

static inline int ph_teddy_short(const ph_teddy *t, const uint8_t *p) {
    unsigned pair = (unsigned)ph_fold(p[0]) << 8 | ph_fold(p[1]);
    return t->shorts[pair >> 3] >> (pair & 7) & 1;
}

/* The first of the candidates at `p + at` (four bytes each at least): `bits` has `shift` + 1 bits a place, `buckets` a byte. */
static inline int ph_teddy_first(const ph_teddy *t, const uint8_t *p, size_t n, size_t at, uint64_t bits, int shift,
    const uint8_t *buckets, ph_hit *hit) {
    for (; bits; bits &= bits - 1) {
        unsigned j = (unsigned)__builtin_ctzll(bits) >> shift;
        if (ph_teddy_quad(t, p + at + j) || (buckets[j] & ~t->longs && ph_teddy_short(t, p + at + j))) {
            uint32_t index = ph_teddy_confirm(t, p, n, at + j, buckets[j]);
            if (index != UINT32_MAX) {
                *hit = (ph_hit){at + j, index};
                return 1;
            }
        }
    }
    return 0;
}

/* The first place from `from` where a literal begins; of several there, the lowest index. */
static ph_hit ph_teddy_scalar(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    for (size_t i = from; i + 2 <= n; i++) {
        if (ph_teddy_pair(t, p + i) && (i + 4 > n || ph_teddy_quad(t, p + i) || ph_teddy_short(t, p + i))) {
            uint32_t found = ph_teddy_confirm(t, p, n, i, 0xFF);
            if (found != UINT32_MAX) {
                return (ph_hit){i, found};
            }
        }
    }
    return (ph_hit){n, UINT32_MAX};
}

#if defined(__x86_64__)
/* Which buckets may begin at each of the 32 places from `p` on; reads 35 bytes. */
PH_AVX2 static inline __attribute__((always_inline)) __m256i ph_teddy_step(
    const __m256i *lo, const __m256i *hi, const uint8_t *p) {
    const __m256i nib = _mm256_set1_epi8(15);
    __m256i all = _mm256_set1_epi8(-1);
#pragma GCC unroll 4        /* -O2 alone leaves a loop, and the tables in memory */
    for (int k = 0; k < PH_TEDDY_BYTES; k++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(p + k));
        __m256i h = _mm256_and_si256(_mm256_srli_epi16(v, 4), nib), l = _mm256_and_si256(v, nib);
        all = _mm256_and_si256(all,
            _mm256_and_si256(_mm256_shuffle_epi8(lo[k], l), _mm256_shuffle_epi8(hi[k], h)));
    }
    return all;
}

PH_AVX2 static inline int ph_teddy_check(const ph_teddy *t, const uint8_t *p, size_t n, size_t at, __m256i all,
    ph_hit *hit) {
    uint8_t found[32];
    uint32_t none = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
    _mm256_storeu_si256((__m256i *)found, all);
    return ph_teddy_first(t, p, n, at, ~none, 0, found, hit);
}

/* Fewer bytes than a step reads: behind them zeros, at which nothing begins. */
PH_AVX2 static ph_hit ph_teddy_padded(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    __m256i lo[PH_TEDDY_BYTES], hi[PH_TEDDY_BYTES];
    uint8_t pad[80], found[32];
    size_t m = n - from;
    memset(pad, 0, sizeof pad);
    if (m >= 16) {
        memcpy(pad, p + from, 16);
        memcpy(pad + m - 16, p + n - 16, 16);
        if (m > 32) {
            memcpy(pad + 16, p + from + 16, 16);
        }
    } else if (m >= 8) {
        memcpy(pad, p + from, 8);
        memcpy(pad + m - 8, p + n - 8, 8);
    } else if (m >= 4) {
        memcpy(pad, p + from, 4);
        memcpy(pad + m - 4, p + n - 4, 4);
    } else {
        for (size_t k = 0; k < m; k++) {
            pad[k] = p[from + k];
        }
    }
    for (int k = 0; k < PH_TEDDY_BYTES; k++) {
        lo[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->lo[k]));
        hi[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->hi[k]));
    }
    for (size_t at = 0; at + 2 <= m; at += 32) {
        ph_hit hit;
        __m256i all = ph_teddy_step(lo, hi, pad + at);
        uint32_t some = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_setzero_si256()));
        some &= m - 1 - at < 32 ? (1u << (m - 1 - at)) - 1 : UINT32_MAX;     /* a literal has two bytes */
        if (some) {
            _mm256_storeu_si256((__m256i *)found, all);
            if (ph_teddy_first(t, pad, m, at, some, 0, found, &hit)) {
                hit.at += from;
                return hit;
            }
        }
    }
    return (ph_hit){n, UINT32_MAX};
}

PH_AVX2 static ph_hit ph_teddy_avx2(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    enum { STEP = 32, READ = STEP + PH_TEDDY_BYTES - 1 };
    __m256i lo[PH_TEDDY_BYTES], hi[PH_TEDDY_BYTES];
    ph_hit hit;
    size_t i = from;
    if (n < from + READ) {
        return ph_teddy_padded(t, p, n, from);
    }
    for (int k = 0; k < PH_TEDDY_BYTES; k++) {
        lo[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->lo[k]));
        hi[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->hi[k]));
    }
    for (; i + STEP + READ <= n; i += 2 * STEP) {
        __m256i a = ph_teddy_step(lo, hi, p + i), b = ph_teddy_step(lo, hi, p + i + STEP);
        __m256i both = _mm256_or_si256(a, b);
        if (__builtin_expect(!_mm256_testz_si256(both, both), 0)
            && (ph_teddy_check(t, p, n, i, a, &hit) || ph_teddy_check(t, p, n, i + STEP, b, &hit))) {
            return hit;
        }
    }
    if (i + READ <= n) {
        if (ph_teddy_check(t, p, n, i, ph_teddy_step(lo, hi, p + i), &hit)) {
            return hit;
        }
        i += STEP;
    }
    if (i + PH_TEDDY_BYTES <= n) {  /* a last step, some places of which were seen before */
        i = n - READ;
        if (ph_teddy_check(t, p, n, i, ph_teddy_step(lo, hi, p + i), &hit)) {
            return hit;
        }
        i += STEP;
    }
    return ph_teddy_scalar(t, p, n, i);     /* the shortest literals at the very end */
}

/* 64 places at a time, and letters exact (but for high bytes, which no literal needs here) in place of nibbles. What is
 * left at the end is AVX2's. */
__attribute__((target("avx512bw,avx512vbmi"))) static ph_hit ph_teddy_avx512(
    const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    enum { STEP = 64, READ = STEP + PH_TEDDY_BYTES - 1 };
    const __m512i low = _mm512_set1_epi8(31);
    __m512i exact[PH_TEDDY_BYTES];
    uint8_t found[STEP];
    ph_hit hit;
    size_t i = from;
    for (int k = 0; k < PH_TEDDY_BYTES; k++) {
        exact[k] = _mm512_loadu_si512(t->exact[k]);
    }
    for (; i + READ <= n; i += STEP) {
        __m512i all = _mm512_set1_epi8(-1);
#pragma GCC unroll 4
        for (int k = 0; k < PH_TEDDY_BYTES; k++) {
            __m512i v = _mm512_loadu_si512(p + i + k);      /* ph_teddy_letter, then its buckets */
            __m512i letter = _mm512_ternarylogic_epi32(low, v, _mm512_srli_epi16(v, 1), 0xCA);
            all = _mm512_and_si512(all, _mm512_permutexvar_epi8(letter, exact[k]));
        }
        uint64_t bits = _mm512_test_epi8_mask(all, all);
        if (__builtin_expect(bits != 0, 0)) {
            _mm512_storeu_si512(found, all);
            if (ph_teddy_first(t, p, n, i, bits, 0, found, &hit)) {
                return hit;
            }
        }
    }
    return ph_teddy_avx2(t, p, n, i);
}

static inline int ph_has_avx512(void) { return __builtin_cpu_supports("avx512vbmi") && ph_has_avx2(); }

static inline ph_hit ph_teddy_find(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    if (n >= from + 128 && ph_has_avx512()) {
        return ph_teddy_avx512(t, p, n, from);
    }
    return ph_has_avx2() ? ph_teddy_avx2(t, p, n, from) : ph_teddy_scalar(t, p, n, from);
}

/* The next narrower engine, for the tests. */
static inline ph_hit ph_teddy_narrow(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    return ph_has_avx512() ? ph_teddy_avx2(t, p, n, from) : ph_teddy_scalar(t, p, n, from);
}

#elif defined(__aarch64__)
static ph_hit ph_teddy_find(const ph_teddy *t, const uint8_t *p, size_t n, size_t from) {
    enum { STEP = 16, READ = STEP + PH_TEDDY_BYTES - 1 };
    ph_hit hit;
    size_t i = from;
    if (n < from + READ) {
        return ph_teddy_scalar(t, p, n, from);
    }
    for (;;) {
        uint8x16_t all = vdupq_n_u8(0xFF);
#pragma GCC unroll 4
        for (int k = 0; k < PH_TEDDY_BYTES; k++) {
            uint8x16_t v = vld1q_u8(p + i + k);
            all = vandq_u8(all, vandq_u8(vqtbl1q_u8(vld1q_u8(t->lo[k]), vandq_u8(v, vdupq_n_u8(15))),
                vqtbl1q_u8(vld1q_u8(t->hi[k]), vshrq_n_u8(v, 4))));
        }
        uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(vtstq_u8(all, all)), 4);
        uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(narrow), 0) & 0x8888888888888888u;
        if (bits) {
            uint8_t found[16];
            vst1q_u8(found, all);
            if (ph_teddy_first(t, p, n, i, bits, 2, found, &hit)) {
                return hit;
            }
        }
        if (i + STEP + READ <= n) {
            i += STEP;
        } else if (i + READ < n) {
            i = n - READ;
        } else {
            return ph_teddy_scalar(t, p, n, i + STEP);
        }
    }
}
#define ph_teddy_narrow ph_teddy_scalar
#else
#define ph_teddy_find ph_teddy_scalar
#define ph_teddy_narrow ph_teddy_scalar
#endif

#include "ph_teddy_build.h"
#endif
