/* Whether a value is a sentence: in one, what is mentioned is told from what is used. */
#ifndef PH_SCAN_PROSE_H
#define PH_SCAN_PROSE_H

#include "ph_scan_lex.h"

#define PH_PROSE 3              /* words of a sentence at least */

/* What a word of a sentence may also mean; functions and the like only where no bracket follows; what SQL shares. */
#define PH_SPOKEN (K_SPOKEN | K_LOGIC | K_CMP | K_CMD | K_CLAUSE | K_TABLE | K_TAG | K_MARKUP | K_FILE | K_SCHEME)
#define PH_CALLED (K_FUNC | K_STMT | K_CONST | K_SINK | K_OBJ | K_PHP | K_NODE)
#define PH_GRAMMAR (K_LOGIC | K_CMP | K_CLAUSE | K_TABLE)

/* A backtick that opens or closes; `this' is how old manuals quote. */
static inline int ph_tick(const uint8_t *p, size_t n, const ph_tok *t, int k, int quoted) {
    return t[k].type == '`' || (quoted && t[k].type == '\'' && k && t[k - 1].type != '`' && !(t[k].at + 1 < n && p[t[k].at + 1] == '`'));
}

/* Tokens from..to of a window of `to`: enough of their words are a sentence's. What is quoted as code counts neither way. */
static int ph_is_prose(const uint8_t *p, size_t n, const ph_tok *t, int from, int to) {
    int spoken = 0, plain = 0, words = 0, said = from, quoted = 0;
    for (int k = from; k < to; k++) {
        int tick = ph_tick(p, n, t, k, quoted);
        quoted ^= tick && !(k && t[k - 1].type == '`' && t[k - 1].at + 1 == t[k].at);
        said += !tick && !quoted;
        if (quoted || t[k].type != TK_WORD) {
            continue;
        }
        size_t end = t[k].at + t[k].len;
        words++;
        if (t[k].len > 1 && t[k].flags & (F_SPACE | F_FIRST)) {
            uint32_t called = end >= n || p[end] == ' ' || p[end] == ',' ? PH_CALLED : 0;
            spoken += !(t[k].kinds & ~(PH_SPOKEN | called));
            plain += !(t[k].kinds & ~(PH_SPOKEN & ~PH_GRAMMAR));
        }
    }
    int opens = to && (t[0].type == TK_WORD || ph_quote(t[0].type) || t[0].type == '(' || t[0].type == '[');
    return spoken >= PH_PROSE + (opens || from ? 0 : 2) && plain + (spoken > PH_PROSE) >= 2
        && (spoken * 4 >= said || (spoken * 2 >= words && spoken * 8 >= said));
}
#endif
