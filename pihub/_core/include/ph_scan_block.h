/* What the lexer asks of 64 bytes at once: which are letters, digits, spaces, and where it must look closer. */
#ifndef PH_SCAN_BLOCK_H
#define PH_SCAN_BLOCK_H

#include "ph_scan.h"

typedef struct ph_block {
    uint64_t letter;            /* a bit a byte: a-z, _ and high bytes, which words begin with */
    uint64_t digit, space;
    uint64_t span;              /* of what is more than a mark: the two above, and the points of 1.5 and 127.0.0.1 */
    uint64_t hard;              /* controls, what may begin or end a comment, numbers with a letter behind them */
} ph_block;

#if defined(__x86_64__)
typedef __m128i ph_cell;
PH_FLAT ph_cell ph_cell_load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }
PH_FLAT ph_cell ph_cell_is(ph_cell v, uint8_t c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c)); }
PH_FLAT ph_cell ph_cell_in(ph_cell v, uint8_t low, uint8_t span) { return ph_within(v, (char)low, (char)span); }
PH_FLAT ph_cell ph_cell_or(ph_cell a, ph_cell b) { return _mm_or_si128(a, b); }
PH_FLAT ph_cell ph_cell_and(ph_cell a, ph_cell b) { return _mm_and_si128(a, b); }
PH_FLAT ph_cell ph_cell_xor(ph_cell a, ph_cell b) { return _mm_xor_si128(a, b); }
PH_FLAT void ph_cell_store(uint8_t *p, ph_cell v) { _mm_storeu_si128((__m128i *)p, v); }
/* The first byte of sixteen that is not 0, 16: none. */
PH_FLAT unsigned ph_cell_first(ph_cell v) { return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(v) | 1u << 16); }
PH_FLAT uint64_t ph_cell_bits(ph_cell a, ph_cell b, ph_cell c, ph_cell d) {
    return (uint64_t)((uint32_t)_mm_movemask_epi8(a) | (uint32_t)_mm_movemask_epi8(b) << 16)
        | (uint64_t)((uint32_t)_mm_movemask_epi8(c) | (uint32_t)_mm_movemask_epi8(d) << 16) << 32;
}
#define PH_CELL
#elif defined(__aarch64__)
typedef uint8x16_t ph_cell;
PH_FLAT ph_cell ph_cell_load(const uint8_t *p) { return vld1q_u8(p); }
PH_FLAT ph_cell ph_cell_is(ph_cell v, uint8_t c) { return vceqq_u8(v, vdupq_n_u8(c)); }
PH_FLAT ph_cell ph_cell_in(ph_cell v, uint8_t low, uint8_t span) {
    return vcleq_u8(vsubq_u8(v, vdupq_n_u8(low)), vdupq_n_u8(span));
}
PH_FLAT ph_cell ph_cell_or(ph_cell a, ph_cell b) { return vorrq_u8(a, b); }
PH_FLAT ph_cell ph_cell_and(ph_cell a, ph_cell b) { return vandq_u8(a, b); }
PH_FLAT ph_cell ph_cell_xor(ph_cell a, ph_cell b) { return veorq_u8(a, b); }
PH_FLAT void ph_cell_store(uint8_t *p, ph_cell v) { vst1q_u8(p, v); }
PH_FLAT unsigned ph_cell_first(ph_cell v) {
    uint64_t four = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
    return four ? (unsigned)__builtin_ctzll(four) / 4 : 16;
}
PH_FLAT uint64_t ph_cell_bits(ph_cell a, ph_cell b, ph_cell c, ph_cell d) {
    const ph_cell each = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    ph_cell low = vpaddq_u8(vandq_u8(a, each), vandq_u8(b, each)), high = vpaddq_u8(vandq_u8(c, each), vandq_u8(d, each));
    low = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(low, low)), 0);
}
#define PH_CELL
#endif

#ifdef PH_CELL
#define PH_CELLS(what, ...) ph_cell_bits(what(v[0], __VA_ARGS__), what(v[1], __VA_ARGS__), what(v[2], __VA_ARGS__), what(v[3], __VA_ARGS__))
PH_FLAT ph_cell ph_cell_letter(ph_cell v, uint8_t low) {
    return ph_cell_or(ph_cell_or(ph_cell_in(v, low, 25), ph_cell_is(v, '_')), ph_cell_in(v, 0x80, 0x7F));
}
#endif

/* Of the `left` bytes from p on, one at least, the first 64; 64 may be read whatever is left. */
PH_FLAT ph_block ph_block_of(const uint8_t *p, size_t left) {
    ph_block b;
    uint64_t control, slash, star, dash, dot;
#ifdef PH_CELL
    ph_cell v[4] = {ph_cell_load(p), ph_cell_load(p + 16), ph_cell_load(p + 32), ph_cell_load(p + 48)};
    b.letter = PH_CELLS(ph_cell_letter, 'a');
    b.digit = PH_CELLS(ph_cell_in, '0', 9);
    b.space = PH_CELLS(ph_cell_is, ' ');
    control = PH_CELLS(ph_cell_in, 0, 31);
    slash = PH_CELLS(ph_cell_is, '/');
    star = PH_CELLS(ph_cell_is, '*');
    dash = PH_CELLS(ph_cell_is, '-');
    dot = PH_CELLS(ph_cell_is, '.');
#else
    b.letter = b.digit = b.space = control = slash = star = dash = dot = 0;
    for (unsigned k = 0; k < 64; k++) {
        uint8_t c = p[k];
        b.letter |= (uint64_t)(ph_lower(c) || c == '_' || c >= 0x80) << k;
        b.digit |= (uint64_t)ph_digit(c) << k;
        b.space |= (uint64_t)(c == ' ') << k;
        control |= (uint64_t)(c < 32) << k;
        slash |= (uint64_t)(c == '/') << k;
        star |= (uint64_t)(c == '*') << k;
        dash |= (uint64_t)(c == '-') << k;
        dot |= (uint64_t)(c == '.') << k;
    }
#endif
    uint64_t more = left > 64, next = more ? p[64] : 0, ours = more ? UINT64_MAX : UINT64_MAX >> (64 - left);
    b.letter &= ours;
    b.digit &= ours;
    b.space &= ours;
    slash &= ours;
    star &= ours;
    dash &= ours;
    b.hard = (control & ours) | (slash & (star >> 1 | (uint64_t)(next == '*') << 63))
        | (star & (slash >> 1 | (uint64_t)(next == '/') << 63)) | (dash & (dash >> 1 | (uint64_t)(next == '-') << 63));
    uint64_t point = dot & b.digit << 1 & (b.digit >> 1 | (uint64_t)ph_digit((uint8_t)next) << 63);
    uint64_t run = b.digit | point, first = run & ~(run << 1), named = first & b.letter << 1;   /* of a word: a1 */
    if (point & run & ~(run + named)) {                    /* a1.5 is a1 . 5 */
        point = 0;
        run = b.digit;
        first = run & ~(run << 1);
        named = first & b.letter << 1;
        b.hard |= first & ~named;
    }
    b.span = b.letter | b.digit | point;
    first &= ~named;
    uint64_t odd = ((run + first) & ~run & b.letter) | (dot & b.digit << 1 & (b.letter >> 1 | (uint64_t)(next == 'e') << 63));
    for (; odd; odd &= odd - 1) {                           /* 0x1f, 1or, 1.e5: at its beginning */
        uint64_t before = first & ((odd & -odd) - 1);
        b.hard |= (uint64_t)1 << 63 >> __builtin_clzll(before | 1);
    }
    return b;
}
#endif
