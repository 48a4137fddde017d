/* Tokens that SQL, JavaScript, shells and templates share: words, numbers, single marks.
 *
 * Quotes are marks, not strings: an injection begins inside of somebody's string, so every quote
 * may open or close one, and rules look at what stands around it. A closed comment is space.
 */
#ifndef PH_SCAN_LEX_H
#define PH_SCAN_LEX_H

#include "ph_scan_block.h"
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
    uint16_t word;              /* its place among the known words, 0: none of them */
} ph_tok;

typedef struct ph_lexer {
    const ph_words *words;
    const uint8_t *p;
    size_t n, at;
    int no_close;               /* no comment ends any more */
    uint16_t *names;            /* the tokens of the last call that are words, PH_TOKENS at most */
    int named;
    const uint8_t *asked;       /* ph_scan_asks.h: who, of each token of the window */
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

enum { L_MARK = 0, L_WORD = 1, L_DIGIT = 2, L_OTHER = 4 };  /* L_OTHER: space, and what may begin or end a comment */

static const uint8_t ph_lex_kind[256] = {
    ['a' ... 'z'] = L_WORD, ['_'] = L_WORD, [0x80 ... 0xFF] = L_WORD, ['0' ... '9'] = L_DIGIT,
    [9 ... 13] = L_OTHER, [' '] = L_OTHER, ['/'] = L_OTHER, ['*'] = L_OTHER, ['-'] = L_OTHER,
};

/* Whether a word goes on with `c`: letters, digits, _ and high bytes. */
static inline int ph_wordy(uint8_t c) { return ph_lex_kind[c] & (L_WORD | L_DIGIT); }

/* From white space and comments on: where they end. */
static __attribute__((noinline)) size_t ph_lex_space(ph_lexer *x, size_t i, uint8_t *flags) {
    const uint8_t *p = x->p;
    size_t n = x->n;
    for (; i < n && ph_lex_kind[p[i]] == L_OTHER; i++) {
        if (ph_space(p[i])) {
            *flags |= F_SPACE | (p[i] == '\n' || p[i] == '\r' ? F_LINE : 0);
        } else if (p[i] == '/' && i + 1 < n && p[i + 1] == '*') {
            if (i + 2 < n && p[i + 2] == '!') {         /* MySQL runs what is inside */
                i += 2;
                while (i + 1 < n && ph_digit(p[i + 1])) {
                    i++;
                }
                *flags |= F_SPACE | F_COMMENT | F_VERSION;
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
            *flags |= F_SPACE | F_COMMENT;
        } else if (p[i] == '*' && i + 1 < n && p[i + 1] == '/') {
            i++;
            *flags |= F_SPACE | F_COMMENT;
        } else {
            break;
        }
    }
    return i;
}

static int ph_glued(const ph_words *w, const uint8_t *p, size_t len) {
    return len < 32 && ph_word_kinds(w, p, len) & (K_UNION | K_SELECT);
}

/* A number at p[i], or a word that begins with one. Returns where it ends. */
static size_t ph_lex_number(const ph_lexer *x, size_t i, ph_tok *t) {
    const uint8_t *p = x->p;
    size_t n = x->n;
    t->type = TK_NUM;
    if (p[i] == '0' && i + 1 < n && p[i + 1] == 'x') {
        i += 2;
        while (i < n && ph_hexval(p[i]) >= 0) {
            i++;
        }
        return i;
    }
    while (i < n && (ph_digit(p[i]) || (p[i] == '.' && i + 1 < n && (ph_digit(p[i + 1])
            || (p[i + 1] == 'e' && i + 2 < n && ph_digit(p[i + 2])))))) {
        i++;
    }
    if (i + 1 < n && p[i] == 'e' && (ph_digit(p[i + 1]) || p[i + 1] == '-' || p[i + 1] == '+')) {
        i += 2;
        while (i < n && ph_digit(p[i])) {
            i++;
        }
    }
    size_t word = i;
    while (i < n && ph_wordy(p[i])) {
        i++;
    }
    if (i > word) {                                  /* 1or 1union split, 1st and 3d do not */
        uint32_t k = i - word < 32 ? ph_word_kinds(x->words, p + word, i - word) : 0;
        if (k & (K_LOGIC | K_UNION | K_SELECT | K_CLAUSE)) {
            return word;
        }
        if ((p[word] == 'f' || p[word] == 'd') && ph_glued(x->words, p + word + 1, i - word - 1)) {
            return word + 1;                         /* Oracle's 1d, 1f */
        }
        t->type = TK_WORD;
    }
    return i;
}

/* Behind a mark at p[i] that repeats itself: of a longer run rules see the same, its end. */
static size_t ph_lex_run(const uint8_t *p, size_t n, size_t i) {
    if (i + 1 + PH_RUN < n && memcmp(p + i + 1, p + i + 2, PH_RUN - 1) == 0) {
        size_t run = ph_run(p, n, i + 1);
        return i + 1 + ((run - PH_RUN / 2) & ~(size_t)1);
    }
    return i + 1;
}

/* What a word means. */
PH_FLAT void ph_lex_word(const ph_lexer *x, ph_tok *t) {
    uint32_t slot;
    t->word = t->len < 32 ? (uint16_t)ph_word_find(x->words, x->p + t->at, t->len, &slot) : 0;
    t->kinds = x->words->all[t->word].kinds;
}

/* The next token with a look at every byte of it. 0: the text has ended, and it is TK_END. */
static __attribute__((noinline)) int ph_lex_one(ph_lexer *x, ph_tok *t) {
    const uint8_t *p = x->p;
    size_t n = x->n, i = x->at;
    uint8_t flags = i == 0 ? F_FIRST : 0, c = i < n ? p[i] : 0;
    if (c == ' ' && i && i < n) {
        flags = F_SPACE;
        c = ++i < n ? p[i] : 0;
    }
    if (i < n && ph_lex_kind[c] == L_OTHER) {
        i = ph_lex_space(x, i, &flags);
        c = i < n ? p[i] : 0;
    }
    *t = (ph_tok){(uint32_t)i, i < n, 0, c, flags, 0};
    x->at = i;
    if (i >= n) {
        t->type = TK_END;
        return 0;
    }
    if (ph_lex_kind[c] == L_MARK) {
        i = i + 8 < n && (p[i + 1] == c) & (p[i + 2] == c) & (p[i + 8] == c) ? ph_lex_run(p, n, i) : i + 1;
    } else if (ph_lex_kind[c] == L_WORD) {
        do {
            i++;
        } while (i < n && ph_wordy(p[i]));
        t->type = TK_WORD;
    } else if (ph_lex_kind[c] == L_DIGIT) {
        i = ph_lex_number(x, i, t);
    } else if (i + 1 < n && ((c == '-' && p[i + 1] == '-') || (c == '/' && p[i + 1] == '*'))) {
        t->type = TK_CMT;
        i += 2;
    } else {
        i = ph_lex_run(p, n, i);
    }
    t->len = (uint32_t)(i - x->at);
    x->at = i;
    if (t->type == TK_WORD && ph_lex_kind[c] == L_WORD) {
        ph_lex_word(x, t);
    }
    return 1;
}

/* From p + 64 on it may be one mark again and again, which ph_lex_run leaves out. */
static inline int ph_lex_repeats(const uint8_t *p, size_t left) {
    uint64_t w;
    if (left <= PH_RUN + 1) {
        return 0;
    }
    memcpy(&w, p + 64, 8);
    return w == p[64] * 0x0101010101010101u;
}

/* The tokens that begin at the bits of `todo` of the block at p[base], as many as fit. What a byte is decides no branch
 * here: of a mixture none could be predicted. */
PH_FLAT int ph_lex_marks(ph_lexer *x, ph_tok *t, int have, int most, size_t base, uint64_t todo, const ph_block *b) {
    const uint8_t *p = x->p + base;
    uint64_t span = b->span, letter = b->letter, digit = b->digit, spaced = b->space << 1;
    uint16_t *names = x->names;
    int from = x->named, named = from;
    unsigned at = 0, len = 0;
    for (; todo && have < most; todo &= todo - 1, have++) {
        at = (unsigned)__builtin_ctzll(todo);
        len = (unsigned)__builtin_ctzll(~(span >> at));
        len += !len;
        unsigned name = letter >> at & TK_WORD, other = name | (digit >> at << 1 & TK_NUM);
        uint64_t type = other | (p[at] & ((other == 0) * 0xFFu)), where = (uint32_t)(base + at) | (uint64_t)len << 32;
        type = (type | (spaced >> at & F_SPACE) << 8) << 32;         /* the token as it lies in memory, in two stores */
        memcpy((uint8_t *)(t + have), &where, 8);
        memcpy((uint8_t *)(t + have) + 8, &type, 8);
        names[named] = (uint16_t)have;
        named += (int)name;
    }
    x->at = len ? base + at + len : x->at;
    for (int k = from; k < named; k++) {
        ph_lex_word(x, &t[names[k]]);
    }
    x->named = named;
    return have;
}

/* The next tokens into t[have] to t[most - 1]. How many there are then; fewer than `most`: the text has ended, and
 * TK_END stands behind the last one. Behind the text 64 bytes may be read. */
PH_FLAT int ph_lex_all(ph_lexer *x, ph_tok *t, int have, int most) {
    size_t n = x->n;
    x->named = 0;
    while (have < most) {
        size_t base = x->at;
        int before = have, whole = base < n && !ph_lex_repeats(x->p + base, n - base);
#ifdef PH_LEX_ONE                                           /* for tests/core/test_scanner_asks.py */
        whole = 0;
#endif
        if (whole) {                                        /* of that block: most tokens at once, others one by one */
            ph_block b = ph_block_of(x->p + base, n - base);
            uint64_t ours = n - base >= 64 ? UINT64_MAX : ((uint64_t)1 << (n - base)) - 1;
            uint64_t open = ours & ~b.space, starts = open & ~(b.span & b.span << 1), last = 0;
            if (b.span >> 63 && n - base > 64) {             /* the last word goes on behind it */
                last = (uint64_t)1 << (63 - __builtin_clzll(starts));
            }
            whole = b.span != UINT64_MAX;
            starts = whole ? starts & ~last : 0;
            while (starts) {
                uint64_t hard = b.hard & starts;
                have = ph_lex_marks(x, t, have, most, base, starts & (hard ? (hard & -hard) - 1 : UINT64_MAX), &b);
                t[0].flags |= base == 0 && have && !before ? F_FIRST : 0;
                if (!hard || have == most) {
                    break;
                }
                if (!ph_lex_one(x, &t[have])) {
                    return have;
                }
                x->names[x->named] = (uint16_t)have;
                x->named += t[have++].type == TK_WORD;
                size_t done = x->at - base;
                if (done >= 64 || have == most || (last && done > (size_t)__builtin_ctzll(last))
                    || (b.span & b.span << 1) >> done & 1) {    /* it ended inside of what the block took for one */
                    break;
                }
                starts = (starts & UINT64_MAX << done) | (open & ~last & (uint64_t)1 << done);
            }
        }
        if (have == before) {
            if (!ph_lex_one(x, &t[have])) {
                return have;
            }
            x->names[x->named] = (uint16_t)have;
            x->named += t[have++].type == TK_WORD;
        }
    }
    return have;
}

#if defined(__x86_64__)
PH_HASWELL static int ph_lex_haswell(ph_lexer *x, ph_tok *t, int have, int most) { return ph_lex_all(x, t, have, most); }
#define PH_LEX_CHOSEN ph_has_avx2() ? ph_lex_haswell(x, t, have, most) :
#else
#define PH_LEX_CHOSEN
#endif
static int ph_lex(ph_lexer *x, ph_tok *t, int have, int most) { return PH_LEX_CHOSEN ph_lex_all(x, t, have, most); }

/* What else a word means. */
static inline unsigned ph_role(const ph_lexer *x, const ph_tok *t) { return x->words->all[t->word].roles; }

static inline int ph_quote(uint8_t type) { return type == '\'' || type == '"' || type == '`'; }

#include "ph_scan_list.h"
#endif
