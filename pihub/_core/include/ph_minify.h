/* A JSON text without the whitespace between its tokens, in one pass; nothing is parsed.
 *
 * Numbers, escapes, duplicate members and the order of members stay as they are, so two texts
 * that become the same mean the same to every parser. Inside a string 16 bytes at a time are
 * copied as long as none is a quote or a backslash; outside, one byte at a time is looked at.
 *
 * Not minified (0 is returned): whitespace between two characters that are no punctuation
 * ("1 2", "tr ue": they would become another token), a string without its end, a backslash
 * as the last byte. So what becomes a valid text was one.
 *
 * `out` has room for n bytes. A text without such whitespace comes out as it is.
 */
#ifndef PH_MINIFY_H
#define PH_MINIFY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* 1: whitespace of JSON; 2: punctuation; 0: all else. */
static inline unsigned ph_minify_kind(uint8_t c) {
    switch (c) {
    case ' ': case '\t': case '\n': case '\r':
        return 1;
    case '{': case '}': case '[': case ']': case ':': case ',': case '"':
        return 2;
    default:
        return 0;
    }
}

/* How many of the 16 bytes at `p` come before the first quote or backslash; 16: all. */
static inline unsigned ph_minify_plain(const uint8_t *p) {
#if defined(__SSE2__)
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    unsigned bits = (unsigned)_mm_movemask_epi8(hit);
    return bits ? (unsigned)__builtin_ctz(bits) : 16;
#elif defined(__ARM_NEON)
    uint8x16_t v = vld1q_u8(p);
    uint8x16_t hit = vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\')));
    /* Four bits a byte: what x86's movemask does in one instruction. */
    uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
    return bits ? (unsigned)__builtin_ctzll(bits) / 4 : 16;
#else
    unsigned i = 0;
    while (i < 16 && p[i] != '"' && p[i] != '\\') {
        i++;
    }
    return i;
#endif
}

/* The bytes of `out`; 0: left as it is (see above), or empty. */
static size_t ph_minify(const uint8_t *p, size_t n, uint8_t *out) {
    const uint8_t *end = p + n;
    uint8_t *to = out;
    unsigned before = 2; /* the kind of the last byte kept */
    while (p < end) {
        uint8_t c = *p;
        unsigned kind = ph_minify_kind(c);
        if (kind == 1) {
            while (p < end && ph_minify_kind(*p) == 1) {
                p++;
            }
            if (p < end && before == 0 && ph_minify_kind(*p) == 0) {
                return 0;
            }
            continue;
        }
        *to++ = c;
        p++;
        before = kind;
        if (c != '"') {
            continue;
        }
        for (;;) {
            while (end - p >= 16) {
                unsigned plain = ph_minify_plain(p);
                memcpy(to, p, plain); /* at most what is left of n */
                to += plain;
                p += plain;
                if (plain < 16) {
                    break;
                }
            }
            while (p < end && *p != '"' && *p != '\\') {
                *to++ = *p++;
            }
            if (p == end) {
                return 0;
            }
            *to++ = *p;
            if (*p++ == '"') {
                break;
            }
            if (p == end) {
                return 0;
            }
            *to++ = *p++;
        }
    }
    return (size_t)(to - out);
}

#endif
