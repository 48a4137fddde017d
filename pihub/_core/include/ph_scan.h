/* Judging input: what the verifiers share. All of them are one forward pass each over a
 * decoded, lower-case view of one value; none goes back, so time is linear in its length.
 *
 * A rule adds to the score of its class, 0 to 100; strong rules reach 60 alone, weak ones only
 * together. What a score leads to is not decided here.
 */
#ifndef PH_SCAN_H
#define PH_SCAN_H

#include "ph_teddy.h"

enum { /* the order of `CLASSES` in scanner.pyx */
    PH_S_SQL, PH_S_XSS, PH_S_PATH, PH_S_SHELL, PH_S_TEMPLATE, PH_S_XXE, PH_S_LDAP, PH_S_NOSQL,
    PH_S_HEADER, PH_S_NUL, PH_S_JNDI, PH_S_CODE, PH_S_SSRF, PH_S_CLASSES
};

enum { PH_W_PATH, PH_W_QUERY, PH_W_HEADER, PH_W_JSON, PH_W_FORM, PH_W_KEY };

typedef struct ph_verdict {
    uint8_t score[PH_S_CLASSES];
    const char *rule[PH_S_CLASSES];     /* of the highest single addition */
    uint8_t most[PH_S_CLASSES];
    uint32_t at[PH_S_CLASSES];          /* offset in the decoded view */
    int where;
    int prose;                          /* sentences: what code is quoted in them is no attack */
    int done;                           /* the most points: nothing can change the answer any more */
} ph_verdict;

static inline void ph_add(ph_verdict *v, int cls, unsigned points, const char *rule, size_t at) {
    unsigned sum = v->score[cls] + points;
    v->score[cls] = (uint8_t)(sum > 100 ? 100 : sum);
    v->done |= sum >= 100;
    if (points > v->most[cls]) {
        v->most[cls] = (uint8_t)points;
        v->rule[cls] = rule;
        v->at[cls] = (uint32_t)at;
    }
}

/* Not again what was told already: a weak sign counts once, and is raised by a stronger one of its kind. */
static inline void ph_once(ph_verdict *v, int cls, uint64_t *seen, unsigned bit, unsigned points,
    const char *rule, size_t at) {
    if (!(*seen >> bit & 1)) {
        *seen |= 1ull << bit;
        ph_add(v, cls, points, rule, at);
    } else if (points > v->most[cls]) {
        unsigned raised = points - v->most[cls];
        ph_add(v, cls, raised, v->rule[cls], v->at[cls]);
        v->most[cls] = (uint8_t)points;
        v->rule[cls] = rule;
        v->at[cls] = (uint32_t)at;
    }
}

/* No answer of at most `points` to that question would change anything: it need not be asked. */
static inline int ph_settled(const ph_verdict *v, int cls, uint64_t seen, unsigned bit, unsigned points) {
    return (seen >> bit & 1) && points <= v->most[cls];
}

static inline int ph_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }
static inline int ph_lower(uint8_t c) { return (uint8_t)(c - 'a') < 26; }
static inline int ph_alnum(uint8_t c) { return ph_lower(c) || ph_digit(c); }
static inline int ph_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }
static inline int ph_hexval(uint8_t c) {
    return ph_digit(c) ? c - '0' : (uint8_t)((c | 32) - 'a') < 6 ? (c | 32) - 'a' + 10 : -1;
}

/* Whether the byte `a` stands before a `b` anywhere. */
static int ph_two(const uint8_t *p, size_t n, uint8_t a, uint8_t b) {
    if (n < 17) {
        for (size_t i = 1; i < n; i++) {
            if (p[i - 1] == a && p[i] == b) {
                return 1;
            }
        }
        return 0;
    }
    for (size_t i = 1;;) {                                  /* the last step overlaps the one before */
#if defined(__x86_64__)
        __m128i first = _mm_loadu_si128((const __m128i *)(p + i - 1)), second = _mm_loadu_si128((const __m128i *)(p + i));
        if (_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(first, _mm_set1_epi8((char)a)),
                _mm_cmpeq_epi8(second, _mm_set1_epi8((char)b))))) {
            return 1;
        }
#elif defined(__aarch64__)
        if (vmaxvq_u8(vandq_u8(vceqq_u8(vld1q_u8(p + i - 1), vdupq_n_u8(a)), vceqq_u8(vld1q_u8(p + i), vdupq_n_u8(b))))) {
            return 1;
        }
#else
        for (size_t k = i; k < i + 16; k++) {
            if (p[k - 1] == a && p[k] == b) {
                return 1;
            }
        }
#endif
        if (i + 16 >= n) {
            return 0;
        }
        i = i + 32 <= n ? i + 16 : n - 16;
    }
}

/* `word` stands at p + i. */
static inline int ph_at(const uint8_t *p, size_t n, size_t i, const char *word) {
    size_t k = strlen(word);
    return i <= n && k <= n - i && memcmp(p + i, word, k) == 0;
}
#endif
