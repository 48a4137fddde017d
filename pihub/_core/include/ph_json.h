/* JSON read strictly (RFC 8259) in one pass, nothing decoded, nothing allocated.
 *
 * Stricter than a decoder must be: no byte-order mark, sound UTF-8, no control bytes in
 * strings, at most PH_JSON_DEPTH levels. Who uses it takes "no" for "not here" and asks the
 * full decoder. Positions are offsets; a negative one means no.
 */
#ifndef PH_JSON_H
#define PH_JSON_H

#include <stdint.h>
#include <string.h>

#define PH_JSON_DEPTH 64

static inline int64_t ph_json_space(const uint8_t *p, int64_t i, int64_t n) {
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t')) {
        i++;
    }
    return i;
}

/* The high bit of each byte that is a quote, a backslash, a control or beyond ASCII; bits
 * above the lowest one set may be wrong. */
static inline uint64_t ph_json_marks(uint64_t w) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w) | w) & high;
}

/* One character beyond ASCII (RFC 3629): the index after it. */
static inline int64_t ph_json_wide(const uint8_t *p, int64_t i, int64_t n) {
    uint8_t c = p[i], low = 0x80, high = 0xBF;
    int64_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || i + more >= n) {
        return -1;
    }
    low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : low;
    high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : high;
    for (int64_t k = 1; k <= more; k++, low = 0x80, high = 0xBF) {
        if (p[i + k] < low || p[i + k] > high) {
            return -1;
        }
    }
    return i + more + 1;
}

/* Four hex digits at `i`; -1 if they are not. */
static inline int32_t ph_json_hex4(const uint8_t *p, int64_t i, int64_t n) {
    int32_t value = 0;
    if (i + 4 > n) {
        return -1;
    }
    for (int k = 0; k < 4; k++) {
        uint8_t c = p[i + k], low = c | 0x20;
        if (c >= '0' && c <= '9') {
            value = value << 4 | (c - '0');
        } else if (low >= 'a' && low <= 'f') {
            value = value << 4 | (low - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* A backslash at `i`: the index after the escape. Halves of a surrogate pair go together. */
static inline int64_t ph_json_escape(const uint8_t *p, int64_t i, int64_t n) {
    int32_t unit;
    if (++i >= n || p[i] == 0 || strchr("\"\\/bfnrtu", p[i]) == NULL) {
        return -1;
    }
    if (p[i] != 'u') {
        return i + 1;
    }
    unit = ph_json_hex4(p, i + 1, n);
    i += 5;
    if (unit < 0xD800 || unit > 0xDFFF) {
        return unit < 0 ? -1 : i;
    }
    if (unit > 0xDBFF || i + 6 > n || p[i] != '\\' || p[i + 1] != 'u') {
        return -1;
    }
    unit = ph_json_hex4(p, i + 2, n);
    return unit >= 0xDC00 && unit <= 0xDFFF ? i + 6 : -1;
}

/* `i` on the opening quote: the index after the closing one. `plain` becomes 0 if there is
 * an escape or a character beyond ASCII. */
static inline int64_t ph_json_string(const uint8_t *p, int64_t i, int64_t n, int *plain) {
    for (i++; i < n;) {
        if (i + 8 <= n) {
            uint64_t w, marks;
            memcpy(&w, p + i, sizeof w);
            marks = ph_json_marks(w);
            if (marks == 0) {
                i += 8;
                continue;
            }
            i += __builtin_ctzll(marks) >> 3;
        }
        if (p[i] == '"') {
            return i + 1;
        }
        if (p[i] == '\\') {
            *plain = 0;
            i = ph_json_escape(p, i, n);
        } else if (p[i] >= 0x80) {
            *plain = 0;
            i = ph_json_wide(p, i, n);
        } else {
            i = p[i] < 0x20 ? -1 : i + 1;
        }
        if (i < 0) {
            return -1;
        }
    }
    return -1;
}

static inline int64_t ph_json_digits(const uint8_t *p, int64_t i, int64_t n) {
    int64_t start = i;
    while (i < n && p[i] >= '0' && p[i] <= '9') {
        i++;
    }
    return i > start ? i : -1;
}

static inline int64_t ph_json_number(const uint8_t *p, int64_t i, int64_t n) {
    i += i < n && p[i] == '-';
    if (i < n && p[i] == '0') {
        i++;
    } else if ((i = ph_json_digits(p, i, n)) < 0) {
        return -1;
    }
    if (i < n && p[i] == '.' && (i = ph_json_digits(p, i + 1, n)) < 0) {
        return -1;
    }
    if (i < n && (p[i] | 0x20) == 'e') {
        i++;
        i += i < n && (p[i] == '+' || p[i] == '-');
        i = ph_json_digits(p, i, n);
    }
    return i;
}

static inline int ph_json_word(const uint8_t *p, int64_t i, int64_t n, const char *word, int64_t size) {
    return n - i >= size && memcmp(p + i, word, (size_t)size) == 0;
}

/* The value that begins at `i`: the index after it. */
static int64_t ph_json_value(const uint8_t *p, int64_t i, int64_t n, int depth) {
    int plain;
    uint8_t last;
    if (i >= n || depth > PH_JSON_DEPTH) {
        return -1;
    }
    switch (p[i]) {
    case '"': return ph_json_string(p, i, n, &plain);
    case 't': return ph_json_word(p, i, n, "true", 4) ? i + 4 : -1;
    case 'f': return ph_json_word(p, i, n, "false", 5) ? i + 5 : -1;
    case 'n': return ph_json_word(p, i, n, "null", 4) ? i + 4 : -1;
    case '{':
    case '[': break;
    default: return ph_json_number(p, i, n);
    }
    last = p[i] == '{' ? '}' : ']';
    i = ph_json_space(p, i + 1, n);
    if (i < n && p[i] == last) {
        return i + 1;
    }
    for (;;) {
        if (last == '}') {
            if (i >= n || p[i] != '"' || (i = ph_json_string(p, i, n, &plain)) < 0) {
                return -1;
            }
            i = ph_json_space(p, i, n);
            if (i >= n || p[i] != ':') {
                return -1;
            }
            i = ph_json_space(p, i + 1, n);
        }
        if ((i = ph_json_value(p, i, n, depth + 1)) < 0) {
            return -1;
        }
        i = ph_json_space(p, i, n);
        if (i < n && p[i] == last) {
            return i + 1;
        }
        if (i >= n || p[i] != ',') {
            return -1;
        }
        i = ph_json_space(p, i + 1, n);
    }
}

/* The members of one object, in turn: `at` stands on its "{" first. After each the caller
 * sets `at` behind the value that begins at `value`. */
typedef struct {
    const uint8_t *p;
    int64_t n, at;
    int64_t key, key_len, value;
    int begun;
} ph_json_members;

/* 1: a member; 0: none is left, `at` is behind the "}"; -1: no. Keys with escapes or beyond
 * ASCII are a no: they may be another spelling of one that is looked for. */
static inline int ph_json_next(ph_json_members *m) {
    const uint8_t *p = m->p;
    int64_t i, n = m->n;
    int plain = 1;
    if (m->at < 0 || m->at >= n || (!m->begun && p[m->at] != '{')) {
        return -1;
    }
    i = ph_json_space(p, m->at + !m->begun, n);
    if (i < n && p[i] == '}') {
        m->at = i + 1;
        return 0;
    }
    if (m->begun) {
        if (i >= n || p[i] != ',') {
            return -1;
        }
        i = ph_json_space(p, i + 1, n);
    }
    m->begun = 1;
    if (i >= n || p[i] != '"') {
        return -1;
    }
    m->key = i + 1;
    if ((i = ph_json_string(p, i, n, &plain)) < 0 || !plain) {
        return -1;
    }
    m->key_len = i - 1 - m->key;
    i = ph_json_space(p, i, n);
    if (i >= n || p[i] != ':') {
        return -1;
    }
    m->value = ph_json_space(p, i + 1, n);
    return m->value < n ? 1 : -1;
}

#endif
