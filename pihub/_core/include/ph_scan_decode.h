/* One round of decoding: percent and %uXXXX, UTF-8 made canonical, HTML entities, JS escapes.
 *
 * Never longer than its input. Overlong and broken UTF-8 is folded to the character that a
 * careless reader would see (RFC 3629 section 10; Unicode TR 36 section 3.1); look-alikes of ASCII
 * punctuation to ASCII (TR 39). Rounds repeat until nothing changes, at most PH_ROUNDS times.
 */
#ifndef PH_SCAN_DECODE_H
#define PH_SCAN_DECODE_H

#include "ph_scan_escape.h"

#define PH_ROUNDS 5
#define PH_ZEROS 64             /* in front of a number, at most */

enum {
    PH_D_CHANGED = 1, PH_D_NUL = 2, PH_D_OVERLONG = 4, PH_D_BROKEN = 8, PH_D_CTRL = 16, PH_D_ENTITY = 32,
    PH_D_ESCAPE = 128,      /* two or more percent signs that escape nothing */
    PH_D_SLASHED = 64       /* a separator was hidden in an encoding */
};

static const struct { char name[9]; uint8_t c; } ph_entities[] = {
    {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}, {"colon", ':'},
    {"lpar", '('}, {"rpar", ')'}, {"tab", 9}, {"newline", 10}, {"nbsp", ' '}, {"sol", '/'},
    {"bsol", '\\'}, {"equals", '='}, {"lbrace", '{'}, {"lcub", '{'}, {"rbrace", '}'}, {"rcub", '}'},
    {"dollar", '$'}, {"period", '.'}, {"semi", ';'}, {"num", '#'}, {"excl", '!'}, {"grave", '`'},
    {"lsqb", '['}, {"rsqb", ']'}, {"lbrack", '['}, {"rbrack", ']'}, {"comma", ','}, {"percnt", '%'},
    {"ast", '*'}, {"plus", '+'}, {"lowbar", '_'}, {"verbar", '|'}, {"vert", '|'}, {"commat", '@'},
    {"quest", '?'}, {"hat", '^'}, {"acute", '\''}, {"zwnj", 0}, {"shy", 0},
};

/* One of those that need no semicolon (HTML standard, 13.5), as &ltimg: where a tag could begin or end. */
static inline size_t ph_bare_entity(const uint8_t *p, size_t n, size_t i, uint32_t *c) {
    static const struct { char name[5]; uint8_t c; } bare[] = {{"lt", '<'}, {"gt", '>'}, {"quot", '"'}};
    for (size_t e = 0; e < sizeof bare / sizeof *bare; e++) {
        size_t m = strlen(bare[e].name), k = 0;
        while (k < m && i + 1 + k < n && (p[i + 1 + k] | 32) == (uint8_t)bare[e].name[k]) {
            k++;
        }
        uint8_t behind = i + 1 + m < n ? p[i + 1 + m] : 0;
        if (k == m && (e == 0 ? ph_lower(behind | 32) || behind == '/' || behind == '!' : behind != '=' && !ph_lower(behind | 32))) {
            *c = bare[e].c;
            return m + 1;
        }
    }
    return 0;
}

/* An entity at p[i] == '&'. Returns its length, 0 if it is none; *c the code point. */
static inline size_t ph_entity(const uint8_t *p, size_t n, size_t i, uint32_t *c) {
    size_t k = i + 1;
    if (k < n && p[k] == '#') {
        int hex = k + 1 < n && (p[k + 1] | 32) == 'x';
        uint32_t v = 0;
        size_t start = k += hex ? 2 : 1;
        while (k + 1 < n && k - start < PH_ZEROS && p[k] == '0' && ph_hexval(p[k + 1]) >= 0) {
            k++;
        }
        for (int d; k < n && k - start < PH_ZEROS + 12 && (d = ph_hexval(p[k])) >= 0 && d < (hex ? 16 : 10); k++) {
            v = v * (hex ? 16 : 10) + (uint32_t)d;
            if (v > 0x10FFFF) {
                v = 0x110000;
            }
        }
        if (k == start || v > 0x10FFFF) {
            return 0;
        }
        *c = v;
        return k - i + (k < n && p[k] == ';');
    }
    char name[9];
    size_t m = 0;
    while (k < n && m < 8 && ph_lower(p[k] | 32)) {
        name[m++] = (char)(p[k++] | 32);
    }
    name[m] = 0;
    if (m > 1 && (k >= n || p[k] != ';')) {
        return ph_bare_entity(p, n, i, c);
    }
    if (m < 2) {
        return 0;
    }
    for (size_t e = 0; e < sizeof ph_entities / sizeof *ph_entities; e++) {
        if (strcmp(name, ph_entities[e].name) == 0) {
            *c = ph_entities[e].c;
            return k - i + 1;
        }
    }
    return 0;
}

/* The ASCII that a code point is taken for, 0 if for none. */
static inline uint8_t ph_lookalike(uint32_t c) {
    if (c >= 0xFF01 && c <= 0xFF5E) {
        return (uint8_t)(c - 0xFEE0);
    }
    if (c >= 0x24B6 && c <= 0x24E9) {
        return (uint8_t)(c < 0x24D0 ? c - 0x24B6 + 'a' : c - 0x24D0 + 'a');
    }
    switch (c) {
    case 0xA0: case 0x3000: case 0x2028: case 0x2029: return ' ';
    case 0x2215: case 0x2044: case 0x29F8: case 0x3033: return '/';
    case 0x2216: case 0x29F5: case 0xFE68: return '\\';
    case 0x2024: case 0xFE52: return '.';
    case 0x02B9: case 0x02BC: case 0x02C8: case 0x2018: case 0x2019: case 0x2032: return '\'';
    case 0x02BA: case 0x201C: case 0x201D: case 0x2033: return '"';
    case 0xFE64: case 0x2039: case 0x3008: return '<';
    case 0xFE65: case 0x203A: case 0x3009: return '>';
    case 0xBC: return '<';          /* what is left of 0x3C in a reader of seven bits */
    case 0xBE: return '>';
    case 0x017F: return 's';
    case 0x212A: return 'k';
    case 0x0131: return 'i';
    case 0x560A: return '\n';
    case 0x560D: return '\r';
    }
    return 0;
}

static inline size_t ph_put_utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    out[0] = (uint8_t)(0xE0 | ((c >> 12) & 15));
    out[1] = (uint8_t)(0x80 | ((c >> 6) & 63));
    out[2] = (uint8_t)(0x80 | (c & 63));
    return 3;
}

/* Percent, entities, escapes: from `in` into `out`, which may be the same. */
static size_t ph_unescape(const uint8_t *in, size_t n, uint8_t *out, int plus, unsigned *flags) {
    size_t m = 0;
    unsigned idle = 0;
    for (size_t i = 0; i < n;) {
        uint8_t c = in[i];
        uint32_t u = 0;
        if (ph_escape[c] != E_MARK) {
            size_t k = ph_unescaped(in, n, i, out, m, plus);
            m += k;
            i += k;
            continue;
        }
#ifndef PH_ESCAPE_ONE
        if (i + 2 < n && !(ph_escape_next[in[i + 1]] & ph_escape_bit(c))) {
            out[m++] = c;                                 /* the most that a flood of them holds */
            i++;
            continue;
        }
#endif
        if (c == '%' && i + 2 < n && ph_alnum(in[i + 1] | 32) && ph_alnum(in[i + 2] | 32)
            && (ph_hexval(in[i + 1]) < 0 || ph_hexval(in[i + 2]) < 0) && (in[i + 1] | 32) != 'u' && idle++) {
            *flags |= PH_D_ESCAPE;
        }
        if (c == '%' && i + 2 < n && ph_hexval(in[i + 1]) >= 0 && ph_hexval(in[i + 2]) >= 0) {
            out[m++] = (uint8_t)(ph_hexval(in[i + 1]) << 4 | ph_hexval(in[i + 2]));
            *flags |= PH_D_CHANGED;
            i += 3;
        } else if (((c == '%' && i + 5 < n && (in[i + 1] | 32) == 'u')
                    || (c == '\\' && i + 5 < n && in[i + 1] == 'u'))
                && ph_hexval(in[i + 2]) >= 0 && ph_hexval(in[i + 3]) >= 0 && ph_hexval(in[i + 4]) >= 0
                && ph_hexval(in[i + 5]) >= 0) {
            for (int k = 2; k < 6; k++) {
                u = u << 4 | (uint32_t)ph_hexval(in[i + k]);
            }
            uint8_t like = ph_lookalike(u);
            if (!like && u >= 0xE000 && u <= 0xF8FF && c == '%') {
                like = '/';         /* best-fit mappings of private use */
                *flags |= PH_D_SLASHED;
            }
            m += like ? (out[m] = like, 1) : ph_put_utf8(out + m, u);
            *flags |= PH_D_CHANGED;
            i += 6;
        } else if (c == '\\' && i + 3 < n && in[i + 1] == 'x' && ph_hexval(in[i + 2]) >= 0
                && ph_hexval(in[i + 3]) >= 0) {
            u = (uint32_t)(ph_hexval(in[i + 2]) << 4 | ph_hexval(in[i + 3]));
            *flags |= PH_D_CHANGED;
            m += ph_put_utf8(out + m, u);
            i += 4;
        } else if (c == '\\' && i + 3 < n && (in[i + 1] == '0' || in[i + 1] == '1') && (uint8_t)(in[i + 2] - '0') < 8
                && (uint8_t)(in[i + 3] - '0') < 8) {            /* octal, as in old JavaScript */
            u = (uint32_t)((in[i + 1] - '0') << 6 | (in[i + 2] - '0') << 3 | (in[i + 3] - '0'));
            if (u >= 32) {
                out[m++] = (uint8_t)u;
                *flags |= PH_D_CHANGED;
                i += 4;
            } else {
                out[m++] = c;
                i++;
            }
        } else if (c == '\\' && i + 3 < n && in[i + 1] == 'u' && in[i + 2] == '{') {
            size_t k = i + 3;
            while (k + 1 < n && k < i + PH_ZEROS && in[k] == '0' && in[k + 1] != '}') {
                k++;
            }
            size_t digits = k;
            while (k < n && k < digits + 6 && ph_hexval(in[k]) >= 0) {
                u = u << 4 | (uint32_t)ph_hexval(in[k++]);
            }
            if (k < n && in[k] == '}' && u && u <= 0xFFFF) {
                m += ph_put_utf8(out + m, u);
                *flags |= PH_D_CHANGED;
                i = k + 1;
            } else {
                out[m++] = c;
                i++;
            }
        } else if (c == '&') {
            size_t k = ph_entity(in, n, i, &u);
            if (k) {
                m += ph_put_utf8(out + m, u > 0xFFFF ? 0xFFFD : u);
                *flags |= PH_D_CHANGED | PH_D_ENTITY;
                i += k;
            } else {
                out[m++] = c;
                i++;
            }
        } else {
            out[m++] = plus && c == '+' ? ' ' : c;
            i++;
        }
    }
    return m;
}

/* UTF-8 in place: overlong, broken, look-alikes. */
static size_t ph_canonical(uint8_t *p, size_t n, unsigned *flags) {
    size_t m = 0;
    for (size_t i = 0; i < n;) {
        uint8_t c = p[i];
        if (c < 0x80) {
            p[m++] = c;
            i++;
            continue;
        }
        unsigned want = c >= 0xFC ? 5 : c >= 0xF8 ? 4 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
        static const uint32_t least[6] = {0, 0x80, 0x800, 0x10000, 0x200000, 0x4000000};
        uint32_t u = c & (0x3Fu >> want);
        unsigned k = 0;
        while (k < want && i + 1 + k < n && (p[i + 1 + k] & 0xC0) == 0x80) {
            u = u << 6 | (p[i + 1 + k] & 63);
            k++;
        }
        if (want && k == want && u < least[want]) {
            *flags |= PH_D_OVERLONG | PH_D_CHANGED;
            if (u == '/' || u == '\\' || u == '.') {
                *flags |= PH_D_SLASHED;
            }
            p[m++] = u < 0x80 ? (uint8_t)u : '?';
            i += k + 1;
        } else if (want && k == want) {
            uint8_t like = ph_lookalike(u);
            if (like) {
                *flags |= PH_D_CHANGED;
                p[m++] = like;
            } else {
                memmove(p + m, p + i, k + 1);
                m += k + 1;
            }
            i += k + 1;
        } else if (c == 0xC0 || c == 0xC1) {
            *flags |= PH_D_BROKEN;          /* what follows stands for itself, seven bits of it */
            i++;
            if (i < n && p[i] >= 0xC0) {
                uint8_t low = (uint8_t)((c & 1) << 6 | (p[i] & 63));
                p[m++] = low >= 32 ? low : '/';
                i++;
            }
        } else {
            int space = c == 0xA0 && (m == 0 || p[m - 1] < 0x80) && (i + 1 >= n || p[i + 1] < 0x80);     /* to MySQL in latin1 */
            *flags |= PH_D_BROKEN | (space ? PH_D_CHANGED : 0);
            p[m++] = space ? ' ' : c;
            i++;
        }
    }
    return m;
}

/* `classes` of the input: where nothing can be escaped there is nothing to do but to copy. */
static inline size_t ph_decode_round(const uint8_t *in, size_t n, uint8_t *out, int plus, uint32_t classes, unsigned *flags) {
    size_t m = n;
    if (classes & (PH_C_PERCENT | PH_C_AMP | PH_C_BACKSLASH)) {
        m = ph_unescape(in, n, out, plus, flags);
        classes = ph_class_scan(out, m);
    } else {
        if (out != in) {
            memcpy(out, in, n);
        }
        for (uint8_t *at = out; plus && (at = (uint8_t *)memchr(at, '+', (size_t)(out + n - at))); at++) {
            *at = ' ';
        }
    }
    return classes & PH_C_HIGH ? ph_canonical(out, m, flags) : m;
}

/* Lower case, without NUL and bytes that readers drop. */
static inline size_t ph_flatten(uint8_t *p, size_t n, unsigned *flags) {
    size_t m = 0;
    if (!(ph_class_scan(p, n) & (PH_C_CTRL | PH_C_DEL))) {
        for (; m + 8 <= n; m += 8) {
            uint64_t w, heavy, upper;
            memcpy(&w, p + m, 8);
            heavy = w & 0x7F7F7F7F7F7F7F7Full;
            upper = (heavy + 0x3F3F3F3F3F3F3F3Full) & ~(heavy + 0x2525252525252525ull) & ~w & 0x8080808080808080ull;
            w |= upper >> 2;
            memcpy(p + m, &w, 8);
        }
        for (; m < n; m++) {
            p[m] = ph_fold(p[m]);
        }
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (c < 32 || c == 127) {
            if (c == 0) {
                *flags |= PH_D_NUL;
                continue;
            }
            if (!ph_space(c)) {
                *flags |= PH_D_CTRL;
            }
        }
        p[m++] = ph_fold(c);
    }
    return m;
}
#endif
