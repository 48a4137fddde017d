/* HTTP/1.1 heads, strictly (RFC 9112 sections 2 to 6): the fields of an upstream's answer
 * one by one, and which bytes a request's head may hold.
 *
 * Whatever could make two parsers disagree about where a message ends is refused: bare CR
 * or LF, folded lines, a space before the colon, controls, any status line but
 * HTTP/1.0 and 1.1. Nothing is allocated; nothing beyond `n` is read.
 */
#ifndef PH_HTTPHEAD_H
#define PH_HTTPHEAD_H

#include <stdint.h>
#include <string.h>

enum { PH_HEAD_MORE = -1, PH_HEAD_BAD = -2 };

/* Classes of bytes. VALUE: a field's content, RFC 9110 section 5.5, with tabs. TARGET:
 * printable, no space. */
enum { PH_TOKEN = 1, PH_VALUE = 2, PH_TARGET = 4, PH_DIGIT = 8 };

static inline uint8_t ph_head_class(uint8_t c) {
    static const char marks[] = "!#$%&'*+-.^_`|~";
    uint8_t kind = 0;
    int digit = c >= '0' && c <= '9';
    int alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (digit || alpha || (c != 0 && strchr(marks, c) != NULL)) {
        kind |= PH_TOKEN;
    }
    if (c == '\t' || (c >= 0x20 && c <= 0x7e) || c >= 0x80) {
        kind |= PH_VALUE;
    }
    if (c > 0x20 && c <= 0x7e) {
        kind |= PH_TARGET;
    }
    return digit ? kind | PH_DIGIT : kind;
}

/* 256 B a process, filled when the extension is loaded. */
static uint8_t ph_head_kinds[256];

static inline void ph_head_init(void) {
    for (int c = 0; c < 256; c++) {
        ph_head_kinds[c] = ph_head_class((uint8_t)c);
    }
}

static inline int ph_head_all(const uint8_t *p, int64_t n, uint8_t kind) {
    for (int64_t i = 0; i < n; i++) {
        if (!(ph_head_kinds[p[i]] & kind)) {
            return 0;
        }
    }
    return 1;
}

static inline uint8_t ph_head_lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* `word` in lower case; equal but for the case of ASCII letters. */
static inline int ph_head_is(const uint8_t *p, int64_t n, const char *word, int64_t size) {
    if (n != size) {
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        if (ph_head_lower(p[i]) != (uint8_t)word[i]) {
            return 0;
        }
    }
    return 1;
}

/* Whether `word` stands anywhere in `p`, but for the case. */
static inline int ph_head_holds(const uint8_t *p, int64_t n, const char *word, int64_t size) {
    for (int64_t i = 0; i + size <= n; i++) {
        if (ph_head_is(p + i, size, word, size)) {
            return 1;
        }
    }
    return 0;
}

typedef struct {
    int minor;
    int status;
    int64_t reason, reason_len;
} ph_head_status;

/* CRLF at `at`: the position after it, MORE or BAD. */
static inline int64_t ph_head_eol(const uint8_t *p, int64_t at, int64_t n) {
    if (at < n && p[at] != '\r') {
        return PH_HEAD_BAD;
    }
    if (at + 1 < n && p[at + 1] != '\n') {
        return PH_HEAD_BAD;
    }
    return at + 1 < n ? at + 2 : PH_HEAD_MORE;
}

/* "HTTP/1.x NNN[ reason]\r\n" at `at`: the position after it, MORE or BAD. */
static inline int64_t ph_head_first(const uint8_t *p, int64_t at, int64_t n,
                                    ph_head_status *out) {
    static const char start[] = "HTTP/1.";
    int64_t i;
    for (i = 0; i < 7; i++) {
        if (at + i == n) {
            return PH_HEAD_MORE;
        }
        if (p[at + i] != (uint8_t)start[i]) {
            return PH_HEAD_BAD;
        }
    }
    for (; i < 12; i++) {
        uint8_t c;
        if (at + i == n) {
            return PH_HEAD_MORE;
        }
        c = p[at + i];
        if (i == 7 ? (c != '0' && c != '1')
                   : i == 8 ? c != ' ' : c > '9' || c < (i == 9 ? '1' : '0')) {
            return PH_HEAD_BAD;
        }
    }
    out->minor = p[at + 7] - '0';
    out->status = (p[at + 9] - '0') * 100 + (p[at + 10] - '0') * 10 + (p[at + 11] - '0');
    out->reason = at += 12;
    out->reason_len = 0;
    if (at < n && p[at] == ' ') {
        out->reason = ++at;
        while (at < n && (ph_head_kinds[p[at]] & PH_VALUE)) {
            at++;
        }
        out->reason_len = at - out->reason;
    }
    return ph_head_eol(p, at, n);
}

typedef struct {
    int64_t name, name_len; /* name_len 0: the empty line that ends the head */
    int64_t value, value_len;
} ph_head_field;

/* One field's line at `at`, or the empty line: the position after it, MORE or BAD. */
static inline int64_t ph_head_next(const uint8_t *p, int64_t at, int64_t n,
                                   ph_head_field *out) {
    int64_t end;
    out->name = at;
    while (at < n && (ph_head_kinds[p[at]] & PH_TOKEN)) {
        at++;
    }
    out->name_len = at - out->name;
    if (out->name_len == 0) {
        return ph_head_eol(p, at, n);
    }
    if (at < n && p[at] != ':') {
        return PH_HEAD_BAD;
    }
    at++;
    while (at < n && (p[at] == ' ' || p[at] == '\t')) {
        at++;
    }
    out->value = at;
    while (at < n && (ph_head_kinds[p[at]] & PH_VALUE)) {
        at++;
    }
    end = at;
    while (end > out->value && (p[end - 1] == ' ' || p[end - 1] == '\t')) {
        end--;
    }
    out->value_len = end - out->value;
    return ph_head_eol(p, at, n);
}

/* Content-Length's value: digits, or a list of equal numbers (RFC 9112 section 6.3).
 * `before`: of an earlier field, -1 if none. The length, or BAD. */
static inline int64_t ph_head_length(const uint8_t *p, int64_t n, int64_t before) {
    int64_t at = 0;
    for (;;) {
        int64_t number = 0, digits = 0;
        while (at < n && (p[at] == ' ' || p[at] == '\t')) {
            at++;
        }
        for (; at < n && (ph_head_kinds[p[at]] & PH_DIGIT); at++, digits++) {
            if (digits == 18) {
                return PH_HEAD_BAD;
            }
            number = number * 10 + (p[at] - '0');
        }
        while (at < n && (p[at] == ' ' || p[at] == '\t')) {
            at++;
        }
        if (digits == 0 || (before >= 0 && before != number)) {
            return PH_HEAD_BAD;
        }
        before = number;
        if (at == n) {
            return before;
        }
        if (p[at++] != ',') {
            return PH_HEAD_BAD;
        }
    }
}

/* Fields that only the connector writes: they decide about framing or the hop.
 * `p` in lower case. */
static inline int ph_head_ours(const uint8_t *p, int64_t n) {
#define PH_SAME(word) (memcmp(p, word, sizeof(word) - 1) == 0)
    switch (n) {
        case 2: return PH_SAME("te");
        case 6: return PH_SAME("expect");
        case 7: return PH_SAME("upgrade") || PH_SAME("trailer");
        case 10: return PH_SAME("connection") || PH_SAME("keep-alive");
        case 14: return PH_SAME("content-length");
        case 16: return PH_SAME("proxy-connection");
        case 17: return PH_SAME("transfer-encoding");
        default: return 0;
    }
#undef PH_SAME
}

#endif
