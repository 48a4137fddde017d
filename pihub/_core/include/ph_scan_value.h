/* One value through all stages: class scan, keywords, decoding, verifiers. */
#ifndef PH_SCAN_VALUE_H
#define PH_SCAN_VALUE_H

#include "ph_plain.h"
#include "ph_scan_asks.h"
#include "ph_scan_decode.h"
#include "ph_scan_line.h"
#include "ph_scan_module.h"
#include "ph_scan_other.h"
#include "ph_scan_path.h"
#include "ph_scan_php.h"
#include "ph_scan_program.h"
#include "ph_scan_prose.h"
#include "ph_scan_script.h"
#include "ph_scan_shell.h"
#include "ph_scan_sql.h"
#include "ph_scan_view.h"

#ifdef __SANITIZE_ADDRESS__                                  /* a rule that looks beyond the window is seen there */
#include <sanitizer/asan_interface.h>
#define PH_EDGE(name) uint64_t name[32];
#define PH_EDGE_CLOSE(name) ASAN_POISON_MEMORY_REGION(name, sizeof name)
#else
#define PH_EDGE(name)
#define PH_EDGE_CLOSE(name)
#endif

typedef struct ph_scanner {
    ph_words words;
    ph_teddy keys;              /* literals that a value without unusual bytes needs to be looked at */
    ph_teddy files;             /* names that no separator can hide */
    ph_teddy marks;             /* of serialized objects */
    ph_asked asked;
    PH_EDGE(before)
    ph_tok window[PH_TOKENS + PH_AHEAD + 1];
    PH_EDGE(behind)
    uint16_t names[PH_TOKENS + 1];
    uint8_t quoted[PH_TOKENS + 1];
    uint8_t *scratch;
    size_t room;
    uint8_t *outer;             /* of a document around the values */
    size_t outer_room;
} ph_scanner;

/* The lowest index that fits counts, so the order of `names` (NULL ends it) matters. 0: no memory. */
static int ph_names_build(ph_teddy *t, const char *const *names) {
    size_t used = 0, count = 0, bytes = 0;
    for (; names[count]; count++) {
        bytes += strlen(names[count]);
    }
    t->lits = (ph_literal *)calloc(count + 1, sizeof *t->lits);
    t->text = (uint8_t *)calloc(1, bytes + 1);
    if (!t->lits || !t->text) {
        return 0;
    }
    for (; names[t->count]; t->count++) {
        ph_literal *l = &t->lits[t->count];
        l->at = (uint32_t)used;
        l->len = (uint32_t)strlen(names[t->count]);
        l->index = t->count;
        for (uint32_t k = 0; k < l->len; k++) {
            t->text[used + k] = ph_fold((uint8_t)names[t->count][k]);
        }
        memcpy(&l->word, t->text + used, l->len < 4 ? l->len : 4);
        memset(&l->mask, 0xFF, l->len < 4 ? l->len : 4);
        used += l->len;
    }
    ph_teddy_build(t);
    return 1;
}

/* All but the keywords, which are the caller's. 0: no memory. */
static int ph_scanner_build(ph_scanner *s) {
    int words = ph_words_build(&s->words);
    PH_EDGE_CLOSE(s->before);
    PH_EDGE_CLOSE(s->behind);
    ph_asked_build(&s->asked, &s->words);
    return words && ph_names_build(&s->files, ph_file_names) && ph_names_build(&s->marks, ph_object_marks);
}

typedef struct ph_seen {
    ph_sql sql;
    uint64_t script, shell, other, program;
} ph_seen;

static int ph_reserve(uint8_t **at, size_t *room, size_t n) {
    if (n + 64 <= *room) {
        return 1;
    }
    uint8_t *grown = (uint8_t *)realloc(*at, n + 4096);
    if (!grown) {
        return 0;
    }
    *at = grown;
    *room = n + 4096;
    return 1;
}

/* Token i, about which `who` are asked. */
static inline void ph_token(const ph_lexer *x, const ph_tok *t, int i, unsigned who, ph_seen *s, ph_verdict *v) {
    s->sql.closes = v->prose && who & A_QUOTE && ph_sql_closes(x, t, i, &s->sql);
    if (who & A_SQL || (who & A_QUOTE && (i == 0 || s->sql.quotes <= 2))) {
        ph_sql_at(x, t, i, &s->sql, v);
    }
    if (who & A_SCRIPT) {
        ph_script(x, t, i, &s->script, v);
    }
    if (who & A_SHELL) {
        ph_shell(x, t, i, &s->shell, v);
    }
    if (who & A_TEMPLATE) {
        ph_template(x, t, i, &s->other, v);
    }
    if (who & A_CODE) {
        ph_code(x, t, i, &s->other, v);
        ph_php(x, t, i, &s->program, v);
        ph_program(x, t, i, &s->program, v);
        ph_module_at(x, t, i, &s->program, v);
        if (t[i].type == TK_WORD && t[i].flags & F_LINE) {
            ph_line(x, t, i, &s->program, v);
        }
    }
    if (who & A_NAME) {
        ph_target(x, t, i, v);
        ph_scheme(x, t, i, v);
        ph_sql_wrapped(x, t, i, v);
    }
}

/* Every token of a decoded view, with its neighbours in reach. `ticks`: there are backticks. */
static void ph_tokens(ph_scanner *s, const uint8_t *p, size_t n, int ticks, ph_verdict *v) {
    ph_asked *a = &s->asked;
    ph_lexer x = {&s->words, p, n, 0, 0, s->names, 0, a->of};
    ph_seen seen = {0};
    ph_tok *t = s->window;
    int have = 0, from = 0;
    a->plain = INT_MAX;
    for (;;) {
        int first = have;
        have = ph_lex(&x, t, have, PH_TOKENS);
        int end = have < PH_TOKENS;
        ph_tok none = {(uint32_t)n, 0, 0, TK_END, 0, 0};
        for (int k = 0; k <= PH_AHEAD && end; k++) {
            memcpy(&t[have + k], &none, sizeof none);       /* in one store each */
        }
        int to = end ? have : have - PH_AHEAD;
        ph_asks(a, &x, t, first, have, end);
        v->prose = ph_is_prose(&x, t, first, have, ticks, s->quoted);
        for (int group = from; group < to; group += 16) {
            unsigned mute = v->prose || group == 0 || a->quotes[group - 1] <= 2 ? 0 : A_QUOTE;
            for (unsigned some = ph_asked_some(a, group, to, mute); some; some &= some - 1) {
                int i = group + __builtin_ctz(some);
                unsigned who = ph_asked_still(a, t, i);
                if (who & ~(A_SAYS | mute)) {
                    seen.sql.quotes = a->quotes[i];
                    seen.sql.plain = a->plain <= i;
                    ph_token(&x, t, i, who, &seen, v);
                }
            }
        }
        if (end || v->done) {
            break;
        }
        int keep = have - to + PH_BEHIND;
        memmove(t, t + have - keep, (size_t)keep * sizeof *t);
        ph_asked_keep(a, have, keep);
        have = keep;
        from = PH_BEHIND;
    }
}

/* Nothing but marks that break a statement, as tools send them first: 1'"(,.)( */
static int ph_probe(const uint8_t *p, size_t n) {
    unsigned marks = 0, quotes = 0;
    for (size_t i = 0; i < n && n <= 24; i++) {
        if (!ph_digit(p[i]) && !memchr("'\"(),.", p[i], 6)) {
            return 0;
        }
        marks += !ph_digit(p[i]);
        quotes += p[i] == '\'' || p[i] == '"';
    }
    return n <= 24 && marks >= 6 && quotes && quotes < marks;
}

static void ph_better(ph_verdict *v, const ph_verdict *other) {
    for (int c = 0; c < PH_S_CLASSES; c++) {
        if (other->score[c] > v->score[c]) {
            v->score[c] = other->score[c];
            v->rule[c] = other->rule[c];
            v->at[c] = other->at[c];
            v->most[c] = other->most[c];
        }
    }
}

static size_t ph_verify(ph_scanner *s, uint8_t *p, size_t n, unsigned *flags, ph_verdict *v) {
    ph_serialized(&s->marks, p, n, v);
    n = ph_flatten(p, n, flags);
    uint32_t classes = ph_class_scan(p, n);
    ph_tokens(s, p, n, (classes & PH_C_BACKTICK) != 0, v);  /* first: the others ask whether it is prose */
    if (classes & PH_C_ANGLE) {
        ph_html(&s->words, p, n, v);
    }
    if (classes & (PH_C_SLASH | PH_C_BACKSLASH)) {
        ph_climbs(p, n, v);
    }
    if (v->where != PH_W_JSON || classes & PH_C_SLASH) {
        ph_files(&s->files, p, n, v);
    }
    return n;
}

/* Of usual bytes, and no keyword in it: what most values are. If not, *classes are its. */
static inline int ph_usual(const ph_scanner *s, const uint8_t *p, size_t n, uint32_t *classes) {
    if (n <= PH_PLAIN_MOST && ph_plain(&s->keys, p, n)) {
        return 1;
    }
    *classes = ph_class_scan(p, n);
    return !(*classes & (PH_C_UNUSUAL | PH_C_HIGH)) && ph_teddy_find(&s->keys, p, n, 0).index == UINT32_MAX;
}

/* Judge one value. `encoded`: as it stood in a URL or form. 0: no memory. */
static int ph_value(ph_scanner *s, const uint8_t *p, size_t n, int encoded, uint32_t classes, ph_verdict *v) {
    if (!ph_reserve(&s->scratch, &s->room, 2 * n + 96)) {
        return 0;
    }
    unsigned flags = 0;
    uint8_t *one = s->scratch, *two = s->scratch + n + 16;
    ph_cuts cuts;
    size_t whole = n;
    cuts.count = 0;
    if (n > 2 * PH_REPEATS) {
        memcpy(one, p, n);
        n = ph_unrepeated(one, n, &cuts);
        p = one;
    }
    size_t m = ph_decode_round(p, n, one, encoded, classes, &flags);
    if (m > 2 * PH_REPEATS) {
        m = ph_unrepeated(one, m, &cuts);
    }
    unsigned first = flags;
    memcpy(two, one, m);
    size_t k = m;
    int plus = !memchr(one, ' ', m);                        /* a form's spaces, encoded once more */
    /* What did not change changes in no further round either, but for a plus. */
    int same = !(flags & PH_D_CHANGED) && !(classes & PH_C_HIGH) && (!plus || !memchr(one, '+', m));
    for (int round = 0; round < PH_ROUNDS && !same; round++) {
        unsigned again = 0;
        if (round && plus && memchr(two, '+', k) && !memchr(two, '%', k)) {
            memcpy(one, two, k);                            /* it may be a sum: {{4+4}} */
            m = k;
            first = flags;
        }
        size_t shorter = ph_decode_round(two, k, two, plus, ph_class_scan(two, k), &again);
        plus = plus && !memchr(two, ' ', shorter);
        flags |= again;
        if (!(again & PH_D_CHANGED)) {
            k = shorter;
            break;
        }
        k = shorter;
    }
    if (k != m || memcmp(one, two, m) != 0) {
        ph_verdict other = *v;
        unsigned f = first;
        ph_verify(s, one, m, &f, v);
        k = ph_verify(s, two, k, &flags, &other);
        ph_better(v, &other);
    } else {
        k = ph_verify(s, two, k, &flags, v);
    }
    size_t less = v->done ? k : ph_stripped(two, k, one);
    if (less != k) {
        ph_verdict other = {.where = v->where};
        unsigned f = 0;
        ph_verify(s, one, less, &f, &other);
        ph_better(v, &other);
    }
    if (flags & PH_D_BROKEN && flags & PH_D_ESCAPE && !v->prose) {
        ph_add(v, PH_S_PATH, 60, "broken-encoding", 0);
    }
    if ((two[0] == 'j' || two[0] == 'v' ? ph_script_url(two, k, 0) : 0) && !ph_titled(two, k, 10) && !ph_titled(two, k, 8)) {
        ph_add(v, PH_S_XSS, 60, "script-url", 0);
    }
    if (ph_probe(two, k)) {
        ph_add(v, PH_S_SQL, 60, "syntax-probe", 0);
    }
    for (int c = 0; v->prose && c < PH_S_CLASSES; c++) {       /* what a sentence mentions does not add up */
        v->score[c] = v->most[c] < 50 && v->score[c] > v->most[c] ? v->most[c] : v->score[c];
    }
    for (int c = 0; cuts.count && c < PH_S_CLASSES; c++) {
        v->at[c] = (uint32_t)ph_uncut(&cuts, v->at[c]);
    }
    if (k == 1 && two[0] == '<' && whole > 3) {
        ph_add(v, PH_S_XSS, 60, "hidden-bracket", 0);
    }
    if (flags & PH_D_CTRL && v->where != PH_W_JSON) {       /* beacons separate their fields so */
        ph_add(v, PH_S_NUL, v->where == PH_W_QUERY || v->where == PH_W_FORM ? 40 : 60, "control-character", 0);
    }
    if (v->where == PH_W_HEADER && k < 128 && ph_upload_name(two, k)) {
        ph_add(v, PH_S_CODE, 70, "program-in-upload", 0);
    }
    if ((v->where == PH_W_PATH || (encoded && v->where == PH_W_KEY)) && (memchr(two, '\n', k) || memchr(two, '\r', k))) {
        ph_add(v, PH_S_HEADER, 60, "line-break", 0);
    }
    if (v->where == PH_W_PATH && classes & PH_C_CTRL) {
        ph_add(v, PH_S_NUL, 60, "control-character", 0);
    }
    if (flags & PH_D_NUL) {                                 /* in a sentence \0 is spoken of */
        ph_add(v, PH_S_NUL, v->prose && !(classes & PH_C_CTRL) && !memmem(p, n, "%00", 3) && !memmem(p, n, "%2500", 5) ? 30 : 60, "nul-byte", 0);
    }
    if (flags & PH_D_OVERLONG && flags & PH_D_SLASHED) {
        ph_add(v, PH_S_PATH, 60, "hidden-separator", 0);
    }
    return 1;
}

/* Points of the whole: the highest class, and twenty for each further one that is likely. */
static inline unsigned ph_total(const ph_verdict *v, int *cls) {
    unsigned best = 0, more = 0;
    for (int c = 0; c < PH_S_CLASSES; c++) {
        if (v->score[c] > best) {
            more += best >= 40 ? 20 : 0;
            best = v->score[c];
            *cls = c;
        } else if (v->score[c] >= 40) {
            more += 20;
        }
    }
    return best + more > 100 ? 100 : best + more;
}
#endif
