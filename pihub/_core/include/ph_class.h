/* Which kinds of bytes occur in a text: 16 classes, ORed over all of it, one pass.
 *
 * A class is a rectangle of high x low nibbles, so a byte's classes are the AND of two
 * 16-entry tables (Mula and Lemire, "Faster Base64", 2018, section 4; Hyperscan's shufti).
 * Two table pairs make 16 classes. Tails are read by a second load that overlaps the first,
 * never byte by byte and never beyond the text.
 *
 * AVX2 by run-time dispatch, NEON on aarch64, else SSE2: it has no byte shuffle, so it
 * compares ranges and asks the scalar table about a block that holds anything unusual.
 */
#ifndef PH_CLASS_H
#define PH_CLASS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Of a loop that is compiled more than once. */
#define PH_FLAT static inline __attribute__((always_inline))

enum {
    PH_C_CTRL = 1 << 0,      /* 00-1F */
    PH_C_NUL = 1 << 1,
    PH_C_HIGH = 1 << 2,      /* 80-FF */
    PH_C_PERCENT = 1 << 3,
    PH_C_AMP = 1 << 4,
    PH_C_QUOTE = 1 << 5,     /* ' " */
    PH_C_BACKTICK = 1 << 6,
    PH_C_ANGLE = 1 << 7,     /* < > */
    PH_C_PAREN = 1 << 8,
    PH_C_BRACKET = 1 << 9,   /* [ \ ] { | } */
    PH_C_SEMI = 1 << 10,
    PH_C_MARK = 1 << 11,     /* ! # $ * */
    PH_C_DEL = 1 << 12,
    PH_C_EQ = 1 << 13,
    PH_C_SLASH = 1 << 14,    /* - . / */
    PH_C_BACKSLASH = 1 << 15 /* and ^: what escapes in cmd.exe */
};

#define PH_C_UNUSUAL (0xFFFF & ~(PH_C_EQ | PH_C_SLASH | PH_C_HIGH))

/* Row: the classes whose rectangle holds this nibble; low byte table pair 0, high byte pair 1. */
#define PH_C_HI(h) ((h) >= 8 ? PH_C_HIGH : \
    ((h) < 2 ? PH_C_CTRL : 0) | ((h) == 0 ? PH_C_NUL : 0) | ((h) == 2 ? PH_C_PERCENT | PH_C_AMP \
    | PH_C_QUOTE | PH_C_PAREN | PH_C_MARK | PH_C_SLASH : 0) | ((h) == 3 ? PH_C_ANGLE | PH_C_SEMI \
    | PH_C_EQ : 0) | ((h) == 5 ? PH_C_BACKSLASH | PH_C_BRACKET : 0) | ((h) == 6 ? PH_C_BACKTICK : 0) \
    | ((h) == 7 ? PH_C_BRACKET | PH_C_DEL : 0))
#define PH_C_LO(l) (PH_C_CTRL | PH_C_HIGH | ((l) == 0 ? PH_C_NUL | PH_C_BACKTICK : 0) \
    | ((l) == 5 ? PH_C_PERCENT : 0) | ((l) == 6 ? PH_C_AMP : 0) \
    | ((l) == 2 || (l) == 7 ? PH_C_QUOTE : 0) | ((l) == 12 || (l) == 14 ? PH_C_ANGLE : 0) \
    | ((l) == 8 || (l) == 9 ? PH_C_PAREN : 0) | ((l) >= 11 && (l) <= 13 ? PH_C_BRACKET : 0) \
    | ((l) == 11 ? PH_C_SEMI : 0) | ((l) == 1 || (l) == 3 || (l) == 4 || (l) == 10 ? PH_C_MARK : 0) \
    | ((l) == 15 ? PH_C_DEL : 0) | ((l) == 13 ? PH_C_EQ : 0) | ((l) >= 13 ? PH_C_SLASH : 0) \
    | ((l) == 12 || (l) == 14 ? PH_C_BACKSLASH : 0))
#define PH_C_ROW(f, part) { \
    part(f(0)), part(f(1)), part(f(2)), part(f(3)), part(f(4)), part(f(5)), part(f(6)), part(f(7)), \
    part(f(8)), part(f(9)), part(f(10)), part(f(11)), part(f(12)), part(f(13)), part(f(14)), part(f(15))}
#define PH_C_LOW8(x) ((x) & 0xFF)
#define PH_C_HIGH8(x) (((x) >> 8) & 0xFF)
static const uint8_t ph_class_hi0[16] = PH_C_ROW(PH_C_HI, PH_C_LOW8);
static const uint8_t ph_class_hi1[16] = PH_C_ROW(PH_C_HI, PH_C_HIGH8);
static const uint8_t ph_class_lo0[16] = PH_C_ROW(PH_C_LO, PH_C_LOW8);
static const uint8_t ph_class_lo1[16] = PH_C_ROW(PH_C_LO, PH_C_HIGH8);

static inline uint32_t ph_class_of(uint8_t b) {
    return (uint32_t)(ph_class_hi0[b >> 4] & ph_class_lo0[b & 15])
        | (uint32_t)(ph_class_hi1[b >> 4] & ph_class_lo1[b & 15]) << 8;
}

static uint32_t ph_class_scalar(const uint8_t *p, size_t n) {
    uint32_t all = 0;
    for (size_t i = 0; i < n; i++) {
        all |= ph_class_of(p[i]);
    }
    return all;
}

/* Below 16 bytes: two overlapping loads, as wide as fit. *lo and *hi hold all of the text;
 * bytes that are not of it repeat others of it. n > 0. */
static inline void ph_class_short(const uint8_t *p, size_t n, uint64_t *lo, uint64_t *hi) {
    if (n >= 8) {
        memcpy(lo, p, 8);
        memcpy(hi, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        *lo = *hi = (uint64_t)b << 32 | a;
    } else {
        *lo = *hi = (p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16 | (uint64_t)p[0] << 24)
            * 0x100000001u;
    }
}

#if defined(__x86_64__)


static inline __m128i ph_within(__m128i v, char low, char span) {
    __m128i x = _mm_sub_epi8(v, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(span)), x);
}

/* Usual: letters, digits, space, high bytes, + , - . / : = _ ; others cost a scalar block.
 * 0xFF where the byte is of another kind. */
static inline __m128i ph_class_odd(__m128i v, __m128i *eq, __m128i *slash) {
    __m128i is = _mm_cmpeq_epi8(v, _mm_set1_epi8('='));
    __m128i ok = ph_within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 25);
    ok = _mm_or_si128(ok, ph_within(v, '+', 15));        /* + , - . / digits : */
    ok = _mm_or_si128(ok, _mm_cmpeq_epi8(v, _mm_set1_epi8(' ')));
    ok = _mm_or_si128(ok, _mm_or_si128(is, _mm_cmpeq_epi8(v, _mm_set1_epi8('_'))));
    *eq = _mm_or_si128(*eq, is);
    *slash = _mm_or_si128(*slash, ph_within(v, '-', 2));
    return _mm_or_si128(ok, v);                          /* the sign bit: usual, or a high byte */
}

static uint32_t ph_class_sse2(const uint8_t *p, size_t n) {
    __m128i eq = _mm_setzero_si128(), slash = eq, high = eq;
    uint32_t all = 0;
    uint64_t lo, hi;
    if (n == 0) {
        return 0;
    }
    for (size_t i = 0;;) {
        __m128i a, b;
        if (n < 16) {
            ph_class_short(p, n, &lo, &hi);
            a = b = _mm_set_epi64x((long long)hi, (long long)lo);
        } else {
            a = _mm_loadu_si128((const __m128i *)(p + i));
            b = _mm_loadu_si128((const __m128i *)(n < 32 ? p + n - 16 : p + i + 16));
        }
        __m128i fine = _mm_and_si128(ph_class_odd(a, &eq, &slash), ph_class_odd(b, &eq, &slash));
        high = _mm_or_si128(high, _mm_or_si128(a, b));
        if (__builtin_expect(_mm_movemask_epi8(fine) != 0xFFFF, 0)) {
            uint8_t block[32];
            _mm_storeu_si128((__m128i *)block, a);
            _mm_storeu_si128((__m128i *)(block + 16), b);
            all |= ph_class_scalar(block, 32);
        }
        if (i + 32 >= n) {
            break;
        }
        i = i + 64 <= n ? i + 32 : n - 32;
    }
    all |= _mm_movemask_epi8(high) ? PH_C_HIGH : 0;
    all |= _mm_movemask_epi8(eq) ? PH_C_EQ : 0;
    return all | (_mm_movemask_epi8(slash) ? PH_C_SLASH : 0);
}

#define PH_AVX2 __attribute__((target("avx2")))
#define PH_HASWELL __attribute__((target("avx2,bmi,bmi2")))     /* no processor has the first without the others */

/* The OR of all bytes of c0, and of c1 in the next eight bits. */
PH_AVX2 static inline uint32_t ph_class_fold(__m128i c0, __m128i c1) {
    __m128i v = _mm_or_si128(_mm_unpacklo_epi8(c0, c1), _mm_unpackhi_epi8(c0, c1));
    v = _mm_or_si128(v, _mm_srli_si128(v, 8));
    v = _mm_or_si128(v, _mm_srli_si128(v, 4));
    v = _mm_or_si128(v, _mm_srli_si128(v, 2));
    return (uint32_t)_mm_cvtsi128_si32(v) & 0xFFFF;
}

PH_AVX2 static inline uint32_t ph_class_avx2_pair(__m128i a, __m128i b) {
    const __m128i nib = _mm_set1_epi8(15);
    __m128i h0 = _mm_loadu_si128((const __m128i *)ph_class_hi0);
    __m128i h1 = _mm_loadu_si128((const __m128i *)ph_class_hi1);
    __m128i l0 = _mm_loadu_si128((const __m128i *)ph_class_lo0);
    __m128i l1 = _mm_loadu_si128((const __m128i *)ph_class_lo1);
    __m128i ah = _mm_and_si128(_mm_srli_epi16(a, 4), nib), al = _mm_and_si128(a, nib);
    __m128i bh = _mm_and_si128(_mm_srli_epi16(b, 4), nib), bl = _mm_and_si128(b, nib);
    __m128i c0 = _mm_or_si128(_mm_and_si128(_mm_shuffle_epi8(h0, ah), _mm_shuffle_epi8(l0, al)),
        _mm_and_si128(_mm_shuffle_epi8(h0, bh), _mm_shuffle_epi8(l0, bl)));
    __m128i c1 = _mm_or_si128(_mm_and_si128(_mm_shuffle_epi8(h1, ah), _mm_shuffle_epi8(l1, al)),
        _mm_and_si128(_mm_shuffle_epi8(h1, bh), _mm_shuffle_epi8(l1, bl)));
    return ph_class_fold(c0, c1);
}

PH_AVX2 static uint32_t ph_class_avx2(const uint8_t *p, size_t n) {
    if (n <= 32) {
        if (n >= 16) {
            return ph_class_avx2_pair(_mm_loadu_si128((const __m128i *)p),
                _mm_loadu_si128((const __m128i *)(p + n - 16)));
        }
        if (n == 0) {
            return 0;
        }
        uint64_t lo, hi;
        ph_class_short(p, n, &lo, &hi);
        __m128i v = _mm_set_epi64x((long long)hi, (long long)lo);
        return ph_class_avx2_pair(v, v);
    }
    const __m256i nib = _mm256_set1_epi8(15);
    const __m256i h0 = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)ph_class_hi0));
    const __m256i h1 = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)ph_class_hi1));
    const __m256i l0 = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)ph_class_lo0));
    const __m256i l1 = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)ph_class_lo1));
    __m256i c0 = _mm256_setzero_si256(), c1 = c0;
    size_t i = 0;
    for (;;) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(p + i));
        __m256i hi = _mm256_and_si256(_mm256_srli_epi16(v, 4), nib), lo = _mm256_and_si256(v, nib);
        c0 = _mm256_or_si256(c0, _mm256_and_si256(_mm256_shuffle_epi8(h0, hi), _mm256_shuffle_epi8(l0, lo)));
        c1 = _mm256_or_si256(c1, _mm256_and_si256(_mm256_shuffle_epi8(h1, hi), _mm256_shuffle_epi8(l1, lo)));
        if (i + 32 >= n) {
            break;
        }
        i = i + 64 <= n ? i + 32 : n - 32;
    }
    return ph_class_fold(
        _mm_or_si128(_mm256_castsi256_si128(c0), _mm256_extracti128_si256(c0, 1)),
        _mm_or_si128(_mm256_castsi256_si128(c1), _mm256_extracti128_si256(c1, 1)));
}

static inline int ph_has_avx2(void) { return __builtin_cpu_supports("avx2") != 0; }

static inline uint32_t ph_class_scan(const uint8_t *p, size_t n) {
    return ph_has_avx2() ? ph_class_avx2(p, n) : ph_class_sse2(p, n);
}

#elif defined(__aarch64__)

static inline uint32_t ph_or16(uint8x16_t v) {
    uint64x2_t w = vreinterpretq_u64_u8(v);
    uint64_t x = vgetq_lane_u64(w, 0) | vgetq_lane_u64(w, 1);
    x |= x >> 32;
    x |= x >> 16;
    return (uint32_t)((x | x >> 8) & 0xFF);
}

static uint32_t ph_class_neon(const uint8_t *p, size_t n) {
    const uint8x16_t h0 = vld1q_u8(ph_class_hi0), h1 = vld1q_u8(ph_class_hi1);
    const uint8x16_t l0 = vld1q_u8(ph_class_lo0), l1 = vld1q_u8(ph_class_lo1);
    uint8x16_t c0 = vdupq_n_u8(0), c1 = c0;
    uint64_t lo, hi;
    if (n == 0) {
        return 0;
    }
    size_t i = 0;
    for (;;) {
        uint8x16_t v;
        if (n < 16) {
            ph_class_short(p, n, &lo, &hi);
            v = vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(lo), vcreate_u64(hi)));
        } else {
            v = vld1q_u8(p + i);
        }
        uint8x16_t high = vshrq_n_u8(v, 4), low = vandq_u8(v, vdupq_n_u8(15));
        c0 = vorrq_u8(c0, vandq_u8(vqtbl1q_u8(h0, high), vqtbl1q_u8(l0, low)));
        c1 = vorrq_u8(c1, vandq_u8(vqtbl1q_u8(h1, high), vqtbl1q_u8(l1, low)));
        if (i + 16 >= n) {
            break;
        }
        i = i + 32 <= n ? i + 16 : n - 16;
    }
    return ph_or16(c0) | ph_or16(c1) << 8;
}

static inline uint32_t ph_class_scan(const uint8_t *p, size_t n) { return ph_class_neon(p, n); }

#else
#define ph_class_scan ph_class_scalar
#endif
#endif
