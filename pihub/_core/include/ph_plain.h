/* Is a short value plain: of usual bytes only, and no literal in it? Class scan and Teddy in one pass over the same
 * registers, for values of at most PH_PLAIN_MOST bytes, which most are.
 *
 * No is no answer: a place may look like a literal's beginning and be none, which the slower stages find out. The tail
 * is read by a load that overlaps what was read before and is then moved to its place (NEON), or by one that a mask
 * keeps within the value (AVX2, AVX-512): nothing beyond it is read.
 */
#ifndef PH_PLAIN_H
#define PH_PLAIN_H

#include "ph_teddy.h"

#define PH_PLAIN_MOST 64

/* Whether the bitmaps allow a literal's beginning at one of the places in `bits` (place << shift), at `pad`: the text,
 * folded, and four bytes more. Of short literals two bytes are looked at. */
static inline int ph_plain_places(const ph_teddy *t, const uint8_t *pad, uint64_t bits, int shift) {
    for (; bits; bits &= bits - 1) {
        uint32_t w;
        memcpy(&w, pad + ((unsigned)__builtin_ctzll(bits) >> shift), sizeof w);
        unsigned hash = ph_quad_hash(w), pair = __builtin_bswap16((uint16_t)w);
        if ((t->quads[hash >> 3] >> (hash & 7) | t->shorts[pair >> 3] >> (pair & 7)) & 1) {
            return 1;
        }
    }
    return 0;
}

#if defined(__aarch64__)
typedef uint8x16_t ph_lane;
static inline ph_lane ph_lane_load(const uint8_t *p) { return vld1q_u8(p); }
static inline ph_lane ph_lane_words(uint64_t lo, uint64_t hi) {
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(lo), vcreate_u64(hi)));
}
static inline ph_lane ph_lane_and(ph_lane a, ph_lane b) { return vandq_u8(a, b); }
static inline ph_lane ph_lane_or(ph_lane a, ph_lane b) { return vorrq_u8(a, b); }
static inline ph_lane ph_lane_all(uint8_t b) { return vdupq_n_u8(b); }
static inline ph_lane ph_lane_high(ph_lane v) { return vshrq_n_u8(v, 4); }
static inline ph_lane ph_lane_of(ph_lane table, ph_lane at) { return vqtbl1q_u8(table, at); }
static inline void ph_lane_store(uint8_t *p, ph_lane v) { vst1q_u8(p, v); }
static inline uint64_t ph_lane_places(ph_lane v) {
    uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(vtstq_u8(v, v)), 4);
    return vget_lane_u64(vreinterpret_u64_u8(narrow), 0) & 0x8888888888888888u;
}
static inline ph_lane ph_lane_lower(ph_lane v) {
    ph_lane upper = vcleq_u8(vsubq_u8(v, vdupq_n_u8('A')), vdupq_n_u8(25));
    return vorrq_u8(v, vandq_u8(upper, vdupq_n_u8(0x20)));
}
static inline int ph_lane_any(ph_lane v) { return ph_lane_places(v) != 0; }
#define ph_lane_behind(v, next, k) vextq_u8(v, next, k)

/* From index 16 - m on: the indices that move the last m bytes of a register to its front, zeros behind them. */
static const uint8_t ph_slide[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

/* Bytes i to i + 15 of the value, zeros behind its end. */
static inline ph_lane ph_plain_lane(const uint8_t *p, size_t n, size_t i) {
    if (i + 16 <= n) {
        return ph_lane_load(p + i);
    }
    if (i >= n) {
        return ph_lane_all(0);
    }
    if (n >= 16) {
        return ph_lane_of(ph_lane_load(p + n - 16), ph_lane_load(ph_slide + 16 - (n - i)));
    }
    uint64_t lo = 0, hi = 0;
    if (n >= 8) {
        memcpy(&lo, p, 8);
        memcpy(&hi, p + n - 8, 8);
        hi = hi >> 1 >> (127 - 8 * n);                      /* of 8 bytes: by 64 */
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        lo = a | ((uint64_t)b >> (64 - 8 * n)) << 32;
    } else {
        lo = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
    }
    return ph_lane_words(lo, hi);
}

/* The AND of both tables' rows, for each byte. */
static inline ph_lane ph_plain_rows(const uint8_t *high, const uint8_t *low, ph_lane v) {
    return ph_lane_and(ph_lane_of(ph_lane_load(high), ph_lane_high(v)), ph_lane_of(ph_lane_load(low), ph_lane_and(v, ph_lane_all(15))));
}

static int ph_plain_lanes(const ph_teddy *t, const uint8_t *p, size_t n) {
    ph_lane v = ph_plain_lane(p, n, 0), next;
    for (size_t i = 0; i < n; i += 16, v = next) {
        size_t left = n - i;
        next = ph_plain_lane(p, n, i + 16);
        ph_lane ours = ph_lane_load(ph_slide + (left < 16 ? 16 - left : 0));        /* the value's end: sign bits */
        ph_lane odd = ph_lane_or(ph_plain_rows(ph_class_hi0, ph_class_lo0, v),
            ph_lane_and(ph_plain_rows(ph_class_hi1, ph_class_lo1, v), ph_lane_all(PH_C_UNUSUAL >> 8)));
        ph_lane end = ph_lane_of(ph_lane_all(0xFF), ours);
        if (ph_lane_any(ph_lane_and(odd, end))) {
            return 0;
        }
        ph_lane all = ph_lane_and(
            ph_lane_and(ph_plain_rows(t->hi[0], t->lo[0], v), ph_plain_rows(t->hi[1], t->lo[1], ph_lane_behind(v, next, 1))),
            ph_lane_and(ph_plain_rows(t->hi[2], t->lo[2], ph_lane_behind(v, next, 2)),
                ph_plain_rows(t->hi[3], t->lo[3], ph_lane_behind(v, next, 3))));
        uint64_t bits = ph_lane_places(ph_lane_and(all, end));
        if (bits) {
            uint8_t pad[32];
            ph_lane_store(pad, ph_lane_lower(v));
            ph_lane_store(pad + 16, ph_lane_lower(next));
            if (ph_plain_places(t, pad, bits, 2)) {
                return 0;
            }
        }
    }
    return 1;
}
#define ph_plain_narrow ph_plain_lanes
#endif

#if defined(__x86_64__)
/* Bytes of a value from p on, 32 or as many as it has, zeros behind them: whole words by a mask, and of the last one what
 * is there of the four bytes before the end. */
PH_HASWELL static inline __m256i ph_plain_wide(const uint8_t *p, size_t n) {
    uint32_t last = 0;
    if (n >= 32) {
        return _mm256_loadu_si256((const __m256i *)p);
    }
    __m256i word = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), words = _mm256_set1_epi32((int)(n / 4)), v;
    if (n >= 4) {
        memcpy(&last, p + n - 4, 4);
        last = (uint32_t)((uint64_t)last >> (32 - n % 4 * 8));
    } else if (n) {
        last = p[0] | (uint32_t)p[n / 2] << 8 * (n / 2) | (uint32_t)p[n - 1] << 8 * (n - 1);
    }
    v = _mm256_maskload_epi32((const int *)p, _mm256_cmpgt_epi32(words, word));
    return _mm256_or_si256(v, _mm256_and_si256(_mm256_set1_epi32((int)last), _mm256_cmpeq_epi32(words, word)));
}

/* The AND of both tables' rows, for each byte. */
PH_HASWELL static inline __m256i ph_plain_rows(const uint8_t *high, const uint8_t *low, __m256i v) {
    const __m256i nib = _mm256_set1_epi8(15);
    return _mm256_and_si256(
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)high)), _mm256_and_si256(_mm256_srli_epi16(v, 4), nib)),
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)low)), _mm256_and_si256(v, nib)));
}

/* The value's bytes i to i + 31 are `v`, those behind it `next`. */
PH_HASWELL static inline int ph_plain_half(const ph_teddy *t, __m256i v, __m256i next, size_t left) {
    const __m256i place = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31);
    __m256i ours = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)left), place);
    __m256i odd = _mm256_or_si256(ph_plain_rows(ph_class_hi0, ph_class_lo0, v),
        _mm256_and_si256(ph_plain_rows(ph_class_hi1, ph_class_lo1, v), _mm256_set1_epi8((char)(PH_C_UNUSUAL >> 8))));
    if (!_mm256_testz_si256(odd, ours)) {
        return 0;
    }
    __m256i behind = _mm256_permute2x128_si256(v, next, 0x21);
    __m256i all = _mm256_and_si256(
        _mm256_and_si256(ph_plain_rows(t->hi[0], t->lo[0], v), ph_plain_rows(t->hi[1], t->lo[1], _mm256_alignr_epi8(behind, v, 1))),
        _mm256_and_si256(ph_plain_rows(t->hi[2], t->lo[2], _mm256_alignr_epi8(behind, v, 2)),
            ph_plain_rows(t->hi[3], t->lo[3], _mm256_alignr_epi8(behind, v, 3))));
    all = _mm256_cmpeq_epi8(_mm256_and_si256(all, ours), _mm256_setzero_si256());
    uint32_t bits = ~(uint32_t)_mm256_movemask_epi8(all);
    if (!bits) {
        return 1;
    }
    uint8_t pad[40];                                        /* folded, and what the last four places look at */
    __m256i upper = _mm256_sub_epi8(v, _mm256_set1_epi8('A'));
    upper = _mm256_cmpeq_epi8(_mm256_min_epu8(upper, _mm256_set1_epi8(25)), upper);
    _mm256_storeu_si256((__m256i *)pad, _mm256_or_si256(v, _mm256_and_si256(upper, _mm256_set1_epi8(0x20))));
    uint64_t rest = (uint64_t)_mm256_extract_epi64(next, 0);
    uint32_t four = ph_fold4((uint32_t)rest);
    memcpy(pad + 32, &four, 4);
    return !ph_plain_places(t, pad, bits, 0);
}

PH_HASWELL static int ph_plain_avx2(const ph_teddy *t, const uint8_t *p, size_t n) {
    __m256i v = ph_plain_wide(p, n), next = _mm256_setzero_si256();
    if (n > 32) {
        next = ph_plain_wide(p + 32, n - 32);
        if (!ph_plain_half(t, next, _mm256_setzero_si256(), n - 32)) {
            return 0;
        }
    }
    return ph_plain_half(t, v, next, n);
}
#define ph_plain_narrow ph_plain_avx2
#endif

#if defined(__x86_64__)
/* The whole value in one register, its letters looked up in one table each. */
__attribute__((target("avx512bw,avx512vbmi,bmi,bmi2"))) static int ph_plain_avx512(const ph_teddy *t, const uint8_t *p, size_t n) {
#define PH_PLAIN_ROW(a) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(a)))
    const __m512i nib = _mm512_set1_epi8(15);
    uint64_t ours = _bzhi_u64(UINT64_MAX, (unsigned)n);
    __m512i v = _mm512_maskz_loadu_epi8(ours, p), all = _mm512_set1_epi8(-1);
    __m512i lo = _mm512_and_si512(v, nib), hi = _mm512_and_si512(_mm512_srli_epi16(v, 4), nib);
    __m512i c0 = _mm512_and_si512(_mm512_shuffle_epi8(PH_PLAIN_ROW(ph_class_hi0), hi), _mm512_shuffle_epi8(PH_PLAIN_ROW(ph_class_lo0), lo));
    __m512i c1 = _mm512_and_si512(_mm512_shuffle_epi8(PH_PLAIN_ROW(ph_class_hi1), hi), _mm512_shuffle_epi8(PH_PLAIN_ROW(ph_class_lo1), lo));
    __m512i odd = _mm512_ternarylogic_epi32(c0, c1, _mm512_set1_epi8((char)(PH_C_UNUSUAL >> 8)), 0xF8);   /* c0 | (c1 & it) */
    if (_mm512_mask_test_epi8_mask(ours, odd, odd)) {
        return 0;
    }
#pragma GCC unroll 4
    for (int k = 0; k < PH_TEDDY_BYTES; k++) {              /* ph_teddy_letter, then its buckets */
        __m512i w = k ? _mm512_maskz_loadu_epi8(ours >> k, p + k) : v;
        w = _mm512_ternarylogic_epi32(_mm512_set1_epi8(31), w, _mm512_srli_epi16(w, 1), 0xCA);
        all = _mm512_and_si512(all, _mm512_permutexvar_epi8(w, _mm512_loadu_si512(t->exact[k])));
    }
    uint64_t bits = _mm512_mask_test_epi8_mask(ours, all, all);
    if (!bits) {
        return 1;
    }
    uint8_t pad[PH_PLAIN_MOST + 8];
    __mmask64 upper = _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('A')), _mm512_set1_epi8(25));
    _mm512_storeu_si512(pad, _mm512_mask_add_epi8(v, upper, v, _mm512_set1_epi8(0x20)));
    memset(pad + PH_PLAIN_MOST, 0, 8);
    return !ph_plain_places(t, pad, bits, 0);
}

/* n <= PH_PLAIN_MOST. */
static inline int ph_plain(const ph_teddy *t, const uint8_t *p, size_t n) {
    return ph_has_avx512() ? ph_plain_avx512(t, p, n) : ph_has_avx2() && ph_plain_avx2(t, p, n);
}
#elif defined(__aarch64__)
static inline int ph_plain(const ph_teddy *t, const uint8_t *p, size_t n) { return ph_plain_lanes(t, p, n); }
#else
static inline int ph_plain(const ph_teddy *t, const uint8_t *p, size_t n) { return 0; }
#endif
#endif
