/* Tokens that SQL, JavaScript, shells and templates share: words, numbers, single marks.
 *
 * Quotes are marks, not strings: an injection begins inside of somebody's string, so every quote
 * may open or close one, and rules look at what stands around it. A closed comment is space.
 */
#ifndef PH_SCAN_LEX_H
#define PH_SCAN_LEX_H

#include "ph_scan_words.h"

#define PH_TOKENS 2048          /* in the window; 16 bytes each */
#define PH_AHEAD 40             /* a rule looks at most so far ahead */
#define PH_BEHIND 8

enum { TK_END, TK_WORD, TK_NUM, TK_CMT };                 /* any other: the mark itself */
enum { F_SPACE = 1, F_COMMENT = 2, F_LINE = 4, F_FIRST = 8, F_VERSION = 16 };

typedef struct ph_tok {
    uint32_t at, len;
    uint32_t kinds;
    uint8_t type, flags;
} ph_tok;

typedef struct ph_lexer {
    const ph_words *words;
    const uint8_t *p;
    size_t n, at;
    int no_close;               /* no comment ends any more */
} ph_lexer;

#define PH_RUN 128              /* equal marks; more than any rule looks at */

/* How many bytes from i on are as p[i]. */
static size_t ph_run(const uint8_t *p, size_t n, size_t i) {
    size_t k = i;
    uint64_t all = p[i] * 0x0101010101010101u, w;
    for (; k + 8 <= n; k += 8) {
        memcpy(&w, p + k, 8);
        if (w != all) {
            break;
        }
    }
    while (k < n && p[k] == p[i]) {
        k++;
    }
    return k - i;
}

/* The next token; TK_END at the end, again and again. */
static ph_tok ph_lex(ph_lexer *x) {
    const uint8_t *p = x->p;
    size_t n = x->n, i = x->at;
    ph_tok t = {0, 0, 0, TK_END, i == 0 ? F_FIRST : 0};
    for (; i < n; i++) {
        if (ph_space(p[i])) {
            t.flags |= F_SPACE | (p[i] == '\n' || p[i] == '\r' ? F_LINE : 0);
        } else if (p[i] == '/' && i + 1 < n && p[i + 1] == '*') {
            if (i + 2 < n && p[i + 2] == '!') {         /* MySQL runs what is inside */
                i += 2;
                while (i + 1 < n && ph_digit(p[i + 1])) {
                    i++;
                }
                t.flags |= F_SPACE | F_COMMENT | F_VERSION;
                continue;
            }
            const uint8_t *end = NULL;
            for (const uint8_t *from = p + i + 2; !x->no_close && !end;) {
                from = (const uint8_t *)memchr(from, '*', (size_t)(p + n - from));
                if (!from || from + 1 >= p + n) {
                    x->no_close = 1;
                } else if (from[1] == '/') {
                    end = from;
                } else {
                    from++;
                }
            }
            if (!end) {
                break;
            }
            i = (size_t)(end - p) + 1;
            t.flags |= F_SPACE | F_COMMENT;
        } else if (p[i] == '*' && i + 1 < n && p[i + 1] == '/') {
            i++;
            t.flags |= F_SPACE | F_COMMENT;
        } else {
            break;
        }
    }
    t.at = (uint32_t)i;
    if (i >= n) {
        x->at = n;
        return t;
    }
    uint8_t c = p[i];
    size_t start = i;
    if (ph_lower(c) || c == '_' || c >= 0x80) {
        uint32_t h = PH_WORD_SEED;
        do {
            h = ph_word_step(h, p[i++]);
        } while (i < n && (ph_alnum(p[i]) || p[i] == '_' || p[i] >= 0x80));
        t.type = TK_WORD;
        if (i - start < 32) {
            t.kinds = ph_word_kinds(x->words, p + start, i - start, h);
        }
    } else if (ph_digit(c)) {
        t.type = TK_NUM;
        if (c == '0' && i + 1 < n && p[i + 1] == 'x') {
            i += 2;
            while (i < n && ph_hexval(p[i]) >= 0) {
                i++;
            }
        } else {
            while (i < n && (ph_digit(p[i]) || (p[i] == '.' && i + 1 < n && ph_digit(p[i + 1])))) {
                i++;
            }
            if (i + 1 < n && p[i] == 'e' && (ph_digit(p[i + 1]) || p[i + 1] == '-' || p[i + 1] == '+')) {
                i += 2;
                while (i < n && ph_digit(p[i])) {
                    i++;
                }
            }
            size_t word = i;
            uint32_t h = PH_WORD_SEED;
            while (i < n && (ph_alnum(p[i]) || p[i] == '_' || p[i] >= 0x80)) {
                h = ph_word_step(h, p[i++]);
            }
            if (i > word) {                          /* 1or 1union split, 1st and 3d do not */
                uint32_t k = i - word < 32 ? ph_word_kinds(x->words, p + word, i - word, h) : 0;
                if (k & (K_LOGIC | K_UNION | K_SELECT | K_CLAUSE)) {
                    i = word;
                } else {
                    t.type = TK_WORD;
                }
            }
        }
    } else if (c == '-' && i + 1 < n && p[i + 1] == '-') {
        t.type = TK_CMT;
        i += 2;
    } else if (c == '/' && i + 1 < n && p[i + 1] == '*') {
        t.type = TK_CMT;
        i += 2;
    } else {
        t.type = c;
        i++;
        if (i + PH_RUN < n && p[i] == c && memcmp(p + i, p + i + 1, PH_RUN - 1) == 0) {
            size_t run = ph_run(p, n, i);               /* of a longer run rules see the same: its end */
            i = i + ((run - PH_RUN / 2) & ~(size_t)1);
        }
    }
    t.len = (uint32_t)(i - start);
    x->at = i;
    return t;
}

static inline int ph_is(const ph_lexer *x, const ph_tok *t, const char *word) {
    size_t k = strlen(word);
    return t->type == TK_WORD && t->len == k && memcmp(x->p + t->at, word, k) == 0;
}

/* One of the space-separated words. */
static inline int ph_is_any(const ph_lexer *x, const ph_tok *t, const char *words) {
    if (t->type != TK_WORD) {
        return 0;
    }
    const uint8_t *word = x->p + t->at;
    const uint8_t *w = (const uint8_t *)words;
    for (uint32_t n = t->len;;) {
        if (*w == *word) {
            uint32_t k = 1;
            while (k < n && w[k] == word[k]) {
                k++;
            }
            if (k == n && (w[k] == ' ' || w[k] == 0)) {
                return 1;
            }
        }
        while (*w > ' ') {
            w++;
        }
        if (!*w++) {
            return 0;
        }
    }
}

static inline int ph_quote(uint8_t type) { return type == '\'' || type == '"' || type == '`'; }
#endif
