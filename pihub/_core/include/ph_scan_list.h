/* Whether a token is a certain word, or one of a list; ph_scan_lex.h includes it. */
#ifndef PH_SCAN_LIST_H
#define PH_SCAN_LIST_H

static inline int ph_is(const ph_lexer *x, const ph_tok *t, const char *word) {
    size_t k = strlen(word);
    return t->type == TK_WORD && t->len == k && memcmp(x->p + t->at, word, k) == 0;
}

/* One of 64 keys, by a word's first and last letters and its length. */
static inline uint64_t ph_list_key(const uint8_t *word, size_t len) {
    return (uint64_t)1 << ((word[0] * 5u + word[len - 1] * 11u + (unsigned)len * 23u) & 63);
}

static __attribute__((noinline, cold)) uint64_t ph_list_keys(const char *words) {
    uint64_t keys = 0;
    for (size_t len; *words; words += len + (words[len] == ' ')) {
        len = strcspn(words, " ");
        keys |= len ? ph_list_key((const uint8_t *)words, len) : 0;
    }
    return keys;
}

/* Whether a word is one of the space-separated `words`. */
static __attribute__((noinline)) int ph_list_walk(const uint8_t *word, uint32_t n, const char *words) {
    for (const uint8_t *w = (const uint8_t *)words;;) {
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

static inline int ph_is_listed(const ph_lexer *x, const ph_tok *t, const char *words) {
    return t->type == TK_WORD && ph_list_walk(x->p + t->at, t->len, words);
}

PH_FLAT int ph_list_has(const ph_lexer *x, const ph_tok *t, const char *words, uint64_t *keys) {
    if (t->type != TK_WORD) {
        return 0;
    }
    uint64_t known = __atomic_load_n(keys, __ATOMIC_RELAXED);
    if (__builtin_expect(!known, 0)) {
        known = ph_list_keys(words);
        __atomic_store_n(keys, known, __ATOMIC_RELAXED);
    }
    const uint8_t *word = x->p + t->at;
    return known & ph_list_key(word, t->len) && ph_list_walk(word, t->len, words);
}

/* The same of a literal. Its keys, made at the first question, tell most words from all of a list. */
#define ph_is_any(x, t, words) __extension__({ static uint64_t ph_keys; ph_list_has(x, t, "" words, &ph_keys); })
#endif
