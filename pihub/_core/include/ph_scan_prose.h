/* Whether a value is a sentence: in one, what is mentioned is told from what is used. */
#ifndef PH_SCAN_PROSE_H
#define PH_SCAN_PROSE_H

#include "ph_scan_lex.h"

#define PH_PROSE 3              /* words of a sentence at least */

/* What a word of a sentence may also mean; functions and the like only where no bracket follows; what SQL shares. */
#define PH_SPOKEN (K_SPOKEN | K_LOGIC | K_CMP | K_CMD | K_CLAUSE | K_TABLE | K_TAG | K_MARKUP | K_FILE | K_SCHEME)
#define PH_CALLED (K_FUNC | K_STMT | K_CONST | K_SINK | K_OBJ | K_PHP | K_NODE)
#define PH_GRAMMAR (K_LOGIC | K_CMP | K_CLAUSE | K_TABLE)

/* Which of the tokens from..to stand between backticks, or in `so' of old manuals, a byte each. How many do not. In sums,
 * here and below, since of a mixture no branch could be predicted. */
static int ph_unquoted(const uint8_t *p, const ph_tok *t, int from, int to, uint8_t *quoted) {
    unsigned inside = 0, before = from && t[from - 1].type == '`', end = from ? t[from - 1].at + 1 : 0;
    int out = 0;
    for (int k = from; k < to; k++) {
        unsigned type = t[k].type, at = t[k].at, back = type == '`';
        unsigned tick = back | (inside & (type == '\'') & !before & (p[at + 1] != '`'));
        inside ^= tick & ~(before & (at == end));
        before = back;
        end = at + 1;
        quoted[k] = (uint8_t)inside;
        out += !(tick | inside);
    }
    return out;
}

/* Tokens from..to of a window of `to`: enough of their words are a sentence's. What is quoted as code counts neither way.
 * `ticks`: 1 if a
 * backtick is among them; `quoted`: room for a byte a token. */
static int ph_is_prose(const ph_lexer *x, const ph_tok *t, int from, int to, int ticks, uint8_t *quoted) {
    int spoken = 0, plain = 0, words = 0, said = from + (ticks ? ph_unquoted(x->p, t, from, to, quoted) : to - from);
    for (int k = 0; k < x->named; k++) {
        const ph_tok *w = &t[x->names[k]];
        unsigned mine = !(ticks & quoted[x->names[k]]);
        size_t end = w->at + w->len;
        uint8_t next = x->p[end];
        words += (int)mine;
        mine &= (w->len > 1) & ((w->flags & (F_SPACE | F_FIRST)) != 0);
        uint32_t called = -(uint32_t)((end >= x->n) | (next == ' ') | (next == ',')) & PH_CALLED;
        spoken += (int)(mine & !(w->kinds & ~(PH_SPOKEN | called)));
        plain += (int)(mine & !(w->kinds & ~(PH_SPOKEN & ~PH_GRAMMAR)));
    }
    int opens = to && (t[0].type == TK_WORD || ph_quote(t[0].type) || t[0].type == '(' || t[0].type == '[');
    return spoken >= PH_PROSE + (opens || from ? 0 : 2) && plain + (spoken > PH_PROSE) >= 2
        && (spoken * 4 >= said || (spoken * 2 >= words && spoken * 8 >= said));
}
#endif
