/* Whether a token is a certain word, or one of a list; ph_scan_lex.h includes it. */
#ifndef PH_SCAN_LIST_H
#define PH_SCAN_LIST_H

static inline int ph_is(const ph_lexer *x, const ph_tok *t, const char *word) {
    size_t k = strlen(word);
    return t->type == TK_WORD && t->len == k && memcmp(x->p + t->at, word, k) == 0;
}

/* Numbers of 64 keys each for a literal: some eight keys a word. */
#define PH_LIST_KEYS(words) (sizeof(words) / 64 + 1)

/* One of so many keys, by a word's length and three of its letters. */
static inline uint32_t ph_list_key(const uint8_t *word, size_t len, size_t keys) {
    uint32_t hash = (word[0] * 0x1003Fu + word[len / 2] * 0x3F1u + word[len - 1] * 0x49u + (uint32_t)len * 0x2A7u) * 0x9E3779B1u;
    return (uint32_t)((uint64_t)hash * (keys * 64) >> 32);
}

/* One of 64 marks, by its first letter and whether its length is odd. */
static inline uint32_t ph_list_mark(const uint8_t *word, size_t len) { return (word[0] ^ (uint32_t)len << 5) & 63; }

/* The keys of all its words, and behind them their marks: none are there before. */
static __attribute__((noinline, cold)) void ph_list_learn(const char *words, uint64_t *known, size_t keys) {
    uint64_t marks = 0;
    for (size_t len; *words; words += len + (words[len] == ' ')) {
        len = strcspn(words, " ");
        if (len) {
            uint32_t key = ph_list_key((const uint8_t *)words, len, keys);
            known[key / 64] |= (uint64_t)1 << key % 64;
            marks |= (uint64_t)1 << ph_list_mark((const uint8_t *)words, len);
        }
    }
    __atomic_store_n(&known[keys], marks, __ATOMIC_RELEASE);
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

/* The same of a word whose mark is one of the list's, or of a list that is not learned yet. */
static __attribute__((noinline)) int ph_list_look(const ph_lexer *x, const ph_tok *t, const char *words, uint64_t *known, size_t keys) {
    const uint8_t *word = x->p + t->at;
    if (!__atomic_load_n(&known[keys], __ATOMIC_ACQUIRE)) {
        ph_list_learn(words, known, keys);
    }
    uint32_t key = ph_list_key(word, t->len, keys);
    return known[key / 64] >> key % 64 & 1 && ph_list_walk(word, t->len, words);
}

PH_FLAT int ph_list_has(const ph_lexer *x, const ph_tok *t, const char *words, uint64_t *known, size_t keys) {
    if (t->type != TK_WORD) {
        return 0;
    }
    uint64_t marks = __atomic_load_n(&known[keys], __ATOMIC_ACQUIRE);
    if (marks && !(marks >> ph_list_mark(x->p + t->at, t->len) & 1)) {
        return 0;
    }
    return ph_list_look(x, t, words, known, keys);
}

/* The same of a literal. Its marks and keys, made at the first question, tell most words from all of a list. */
#define ph_is_any(x, t, words) __extension__({ \
    static uint64_t ph_known[PH_LIST_KEYS(words) + 1]; ph_list_has(x, t, "" words, ph_known, PH_LIST_KEYS(words)); })
#endif
