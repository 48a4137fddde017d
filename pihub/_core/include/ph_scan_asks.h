/* Which verifiers have a question at a token, by what it is and what the two behind it are.
 *
 * No more than a way to go on quickly where no rule can say anything: what is left out here is what every rule
 * of that verifier leaves out itself. A rule about a mark that is not here is never asked, so it belongs here too;
 * tests/core/test_scanner_asks.py judges with and without this table (PH_ASK_ALL) and wants the same.
 */
#ifndef PH_SCAN_ASKS_H
#define PH_SCAN_ASKS_H

#include <limits.h>

#include "ph_scan_sql.h"

enum { A_SQL = 1, A_SCRIPT = 2, A_SHELL = 4, A_TEMPLATE = 8, A_CODE = 16, A_NAME = 32, A_SAYS = 64, A_QUOTE = 128, A_ALL = 63 };

#define PH_SQL_WORDS (K_LOGIC | K_UNION | K_SELECT | K_STMT | K_SIDE | K_FUNC | K_META | K_CLAUSE)

typedef struct ph_question { char mark; uint8_t who; const char *behind, *then; } ph_question;

/* `behind`: the next token's mark; w a word, 1 a number, - also a comment, 0 the end; NULL any at all; COMMAND what a shell's
 * command may begin with. `then`: the one after that, where the value does not begin and no line. Numbers and comments
 * themselves are asked about in ph_asks. */
#define COMMAND "w'\"`\\^/.$~![({>%"
#define QUOTES "'\"`"
static const ph_question ph_questions[] = {
    {'\'', A_SQL, "w)%|&;#+-*^/,=<>!?@~", NULL}, {'"', A_SQL, "w)%|&;#+-*^/,=<>!?@~", NULL}, {'`', A_SQL, "w)%|&;#+-*^/,=<>!?@~", NULL},
    {'`', A_SHELL, "w/\\'\"$.", NULL}, {'{', A_SHELL, ",", "w"}, {'{', A_SHELL, "w", NULL}, {'<', A_SHELL, "(", NULL}, {'>', A_SHELL, "(", NULL}, {'>', A_SHELL, "&", "1"},
    {'(', A_SHELL, ")", "{"}, {'/', A_SHELL, "w1/?*[]", NULL}, {'$', A_SHELL, "w({@'", NULL},
    {'$', A_SHELL, "[", "1"}, {'\\', A_SHELL, "w", "/0"}, {'^', A_SHELL, "w", NULL}, {'%', A_SHELL, "w", "%:"}, {'[', A_SHELL, "w", "w.]"},
    {';', A_SHELL, COMMAND, NULL}, {'&', A_SHELL, COMMAND "&", NULL}, {'|', A_SHELL, COMMAND "|+", NULL},
    {')', A_SQL, "w|&^<>=!", NULL}, {';', A_SQL, "w", NULL}, {'|', A_SQL, "|", NULL}, {'&', A_SQL, "&", NULL}, {':', A_SQL, ":", "w"}, {'@', A_SQL, "@", "w"},
    {'@', A_SCRIPT, "w", QUOTES "w"}, {'!', A_SCRIPT, "w", NULL}, {'[', A_SCRIPT, "]", NULL}, {'/', A_SCRIPT, "/", "0"}, {')', A_SCRIPT, ";", QUOTES "w"},
    {')', A_SCRIPT, QUOTES, ">"}, {')', A_SCRIPT, ">", "0"}, {')', A_SCRIPT, "/", "w"}, {'&', A_SCRIPT, "{", NULL}, {'(', A_SCRIPT, "(", ")"},
    {'(', A_SCRIPT, "\\", QUOTES}, {'{', A_SCRIPT, "w", NULL}, {']', A_SCRIPT, ";", "w"},
    {'\'', A_SCRIPT, "w", "=-0"}, {'"', A_SCRIPT, "w", "=-0"}, {'`', A_SCRIPT, "w", "0"}, {'\'', A_SCRIPT, "@:", "w"}, {'"', A_SCRIPT, "@:", "w"}, {'\'', A_SCRIPT, ">", "0<"}, {'"', A_SCRIPT, ">", "0<"},
    {'{', A_TEMPLATE, "w{%", NULL}, {'{', A_TEMPLATE, "1", "*+-/%|^~="}, {'{', A_TEMPLATE, "$", "w{"}, {'{', A_TEMPLATE, "!", "!1(" QUOTES}, {'{', A_TEMPLATE, "@", "w1(" QUOTES},
    {'{', A_TEMPLATE, "=~-", "1(" QUOTES}, {'{', A_TEMPLATE, "(", "1" QUOTES}, {'{', A_TEMPLATE, QUOTES, "1w"},
    {'$', A_TEMPLATE, "{&", NULL}, {'#', A_TEMPLATE, "{", NULL}, {'#', A_TEMPLATE, "w", "(["}, {'*', A_TEMPLATE, "{", NULL},
    {'@', A_TEMPLATE, "{w", NULL}, {'@', A_TEMPLATE, "(", "1w(" QUOTES}, {'~', A_TEMPLATE, "{", NULL}, {'%', A_TEMPLATE, "{", NULL}, {'%', A_TEMPLATE, "w", ""},
    {'<', A_TEMPLATE, "%#", NULL}, {'<', A_TEMPLATE, "@", "w"}, {'[', A_TEMPLATE, "[", "1$" QUOTES}, {'[', A_TEMPLATE, "#", "w"}, {'[', A_TEMPLATE, "=", QUOTES "1"},
    {'[', A_TEMPLATE, "%", NULL},
    {')', A_CODE, "(.", NULL}, {'(', A_CODE, "w", "="}, {'(', A_CODE, "|&!", "("}, {'*', A_CODE, ")", "()0"}, {'*', A_CODE, "(", "|&)"},
    {':', A_CODE, "=", NULL}, {':', A_CODE, ":", "$"}, {'@', A_CODE, "{", "["}, {'@', A_CODE, "w", "("}, {'$', A_CODE, "w${", NULL},
    {';', A_CODE, "w", QUOTES "w1"}, {']', A_CODE, "(", NULL}, {']', A_CODE, "|", "/"}, {'[', A_CODE, "w", "]"}, {'[', A_CODE, "/", "w"},
    {'{', A_CODE, "w", "}"}, {'{', A_CODE, "/", "w"}, {'!', A_CODE, "!", "w"}, {'!', A_CODE, "w", "/"},
    {'\'', A_CODE, "(", NULL}, {'"', A_CODE, "(", NULL}, {'`', A_CODE, "(", NULL}, {'}', A_CODE, "(", NULL}, {'<', A_CODE, "?", "w"}, {'/', A_NAME, ".", NULL},
};

/* Of words that none of PH_SQL_WORDS and the like says anything about: those that A_CODE asks for wherever they stand. */
static const char ph_code_words[] = "java javax sun groovy com org while for class constructor console cookie system global globalthis "
    "this function process require exports db do o c jndi sys system eval";

/* Two tokens by which ph_expression could tell an expression: it need not look where none of them are near. Marks as
 * above. */
static const struct { const char *first, *second; } ph_says_pairs[] = {
    {"w", "(=!?~.[\""}, {"1", "*+-/%|^~=!?w"}, {QUOTES, "*+-/%|^~=!?."}, {")", "*+-/%|^~?"}, {".", "w}"}, {"|", "w"}, {"$", NULL},
};

#define PH_QUOTES 1000
#define PH_PAIRS 80

typedef struct ph_asked {
    uint8_t who[128][128];              /* by the types of two tokens */
    uint8_t pair[128][128];             /* of `then`, by the same two; 0: whatever stands behind them */
    uint8_t then[PH_PAIRS][128];        /* who is still asked, by the token behind those two */
    uint8_t flagged[32];                /* a token's flags */
    uint8_t of[PH_TOKENS + PH_AHEAD + 16];      /* each token of the window */
    uint16_t quotes[PH_TOKENS + PH_AHEAD + 16]; /* how many up to it; of more than PH_QUOTES, whether they are odd */
    int plain;                          /* the first word that means nothing */
} ph_asked;

/* Whether a token of that type is one of `marks`, as in ph_questions. */
static int ph_asks_among(unsigned type, const char *marks) {
    unsigned as = type == TK_WORD ? 'w' : type == TK_NUM ? '1' : type == TK_CMT ? '-' : type == TK_END ? '0' : type;
    return !marks || strchr(marks, (int)as) != NULL;
}

static void ph_asked_build(ph_asked *a, ph_words *words) {
    memset(a, 0, sizeof *a);
    unsigned pairs = 0;
    memset(a->then, 0xFF, sizeof a->then);
    for (size_t k = 0; k < sizeof ph_questions / sizeof *ph_questions; k++) {
        const ph_question *q = &ph_questions[k];
        uint8_t *row = a->who[(uint8_t)q->mark], *pair = a->pair[(uint8_t)q->mark];
        for (unsigned next = 0; next < 128; next++) {
            if (!ph_asks_among(next, q->behind)) {
                continue;
            }
            row[next] |= q->who;
            if (q->then && !pair[next] && pairs + 1 < PH_PAIRS) {
                pair[next] = (uint8_t)++pairs;
            }
            for (unsigned then = 0; q->then && pair[next] && then < 128; then++) {
                a->then[pair[next]][then] &= ph_asks_among(then, q->then) ? 0xFF : (uint8_t)~q->who;
            }
        }
    }
    for (unsigned next = 0; next < 128; next++) {
        a->who['\''][next] |= A_QUOTE;
        a->who['"'][next] |= A_QUOTE;
        a->who['`'][next] |= A_QUOTE;
    }
    a->who['\''][TK_END] |= A_SCRIPT;
    a->who['"'][TK_END] |= A_SCRIPT;
    a->who['`'][TK_END] |= A_SCRIPT;
    a->who[TK_CMT]['>'] |= A_SCRIPT;
    a->who['#'][TK_END] |= A_SQL;
    a->who[TK_CMT][TK_END] |= A_SQL | A_SCRIPT;
    a->who[TK_WORD]['('] |= A_CODE;
    for (unsigned flags = 0; flags < sizeof a->flagged; flags++) {
        a->flagged[flags] = (flags & (F_FIRST | F_LINE) ? A_SHELL | A_CODE : 0) | (flags & F_VERSION ? A_SQL : 0);
    }
    for (unsigned k = 0; k <= words->count; k++) {
        uint32_t kinds = words->all[k].kinds, sql = (kinds & PH_SQL_WORDS) | (words->all[k].roles & (R_CALLED | R_OPERATOR));
        words->all[k].asks = (kinds & (K_FILE | K_SCHEME) ? A_NAME : 0) | (sql ? A_SQL : 0)
            | (kinds & (K_SINK | K_OBJ) ? A_SCRIPT : 0) | (kinds & (K_CMD | K_TOOL) ? A_SHELL : 0)
            | (kinds & (K_PHP | K_PHPX | K_JAVA | K_NODE | K_OBJ | K_AGENT) ? A_CODE : 0) | (words->all[k].roles & R_SCOPE ? A_SAYS : 0);
    }
    for (size_t k = 0; k < sizeof ph_says_pairs / sizeof *ph_says_pairs; k++) {
        for (unsigned one = 0; one < 128; one++) {
            for (unsigned next = 0; next < 128 && ph_asks_among(one, ph_says_pairs[k].first); next++) {
                a->who[one][next] |= ph_asks_among(next, ph_says_pairs[k].second) ? A_SAYS : 0;
            }
        }
    }
    for (const char *at = ph_code_words; *at; at += strcspn(at, " "), at += *at == ' ') {
        words->all[ph_words_place(words, at, strcspn(at, " "))].asks |= A_CODE;
    }
    a->who[TK_NUM]['.'] |= A_SQL;
}

static inline unsigned ph_asks_word(const ph_asked *a, const ph_lexer *x, const ph_tok *t) {
    uint16_t begins;
    memcpy(&begins, x->p + t->at, 2);
    return (begins == ('o' | 'n' << 8)) * A_SCRIPT | (begins == ('_' | '_' << 8)) * A_SAYS | (t->len >= 9) * A_NAME | x->words->all[t->word].asks;
}

/* Which verifiers are asked about the tokens from `first` on that x has just told, `have` in the window now; quotes are
 * counted. `end`: they are the text's last. No branch depends on a token, since of a mixture none could be predicted. */
PH_FLAT void ph_asks_all(ph_asked *a, const ph_lexer *x, const ph_tok *t, int first, int have, int end) {
    int from = first - (first > 0), to = have - !end;       /* the last one's neighbour comes with the next call */
    unsigned kept = first ? a->of[from] : 0, quotes = from ? a->quotes[from - 1] : 0, before = from ? ph_quote(t[from - 1].type) : 1;
    for (int i = from; i < to; i++) {
        unsigned type = t[i].type, flags = t[i].flags, who = a->who[type][t[i + 1].type] | a->flagged[flags];
        unsigned quote = who / A_QUOTE;
        quotes += quote;
        who |= ((type == TK_NUM) & before) * A_SQL;
        before = quote;
        a->quotes[i] = (uint16_t)quotes;
#ifdef PH_ASK_ALL
        who |= A_ALL | A_SAYS;
#endif
        a->of[i] = (uint8_t)who;
    }
    a->of[from] |= (uint8_t)kept;
    if (!first && have > 1 && t[1].type == TK_NUM) {        /* -1, .5 */
        a->of[1] |= A_SQL;
    }
    for (int i = 0; !first && i < 4 && i < to; i++) {       /* a command behind ' " ) = , { at the value's beginning alone */
        a->of[i] |= t[i].type > TK_CMT && memchr("'\"),={", t[i].type, 6) ? A_SHELL : 0;
    }
    if (to < have) {
        a->of[to] = 0;
    }
    for (int k = 0; k < x->named; k++) {
        int i = x->names[k];
        a->of[i] |= (uint8_t)ph_asks_word(a, x, &t[i]);
        if (i < a->plain && !t[i].kinds) {
            a->plain = i;
        }
    }
}

#if defined(__x86_64__)
PH_HASWELL static void ph_asks_haswell(ph_asked *a, const ph_lexer *x, const ph_tok *t, int first, int have, int end) {
    ph_asks_all(a, x, t, first, have, end);
}
#endif

static void ph_asks(ph_asked *a, const ph_lexer *x, const ph_tok *t, int first, int have, int end) {
#if defined(__x86_64__)
    if (ph_has_avx2()) {
        ph_asks_haswell(a, x, t, first, have, end);
        return;
    }
#endif
    ph_asks_all(a, x, t, first, have, end);
}

/* Whether one of the 24 tokens from i on may be of an expression (ph_says_pairs). */
static inline int ph_says(const ph_lexer *x, int i) {
    uint64_t some[3];
    memcpy(some, x->asked + i, sizeof some);
    return ((some[0] | some[1] | some[2]) & A_SAYS * 0x0101010101010101u) != 0;
}

/* Of those who are asked about token i by the one behind it, who still are by the next one. */
static inline unsigned ph_asked_still(const ph_asked *a, const ph_tok *t, int i) {
    unsigned who = a->of[i], pair = t[i].flags & (F_FIRST | F_LINE) ? 0 : a->pair[t[i].type][t[i + 1].type];
#ifdef PH_ASK_ALL
    pair = 0;
#endif
    return who & a->then[pair][t[i + 2].type];
}

/* The window goes on with its last `keep` tokens of `have`. */
static void ph_asked_keep(ph_asked *a, int have, int keep) {
    int gone = have - keep;
    unsigned many = a->quotes[gone] > PH_QUOTES + 1 ? (a->quotes[gone] - PH_QUOTES) & ~1u : 0;
    memmove(a->of, a->of + gone, (size_t)keep);
    for (int k = 0; k < keep; k++) {
        a->quotes[k] = (uint16_t)(a->quotes[gone + k] - many);
    }
    a->plain = a->plain == INT_MAX ? INT_MAX : a->plain < gone ? 0 : a->plain - gone;
}

/* Of the sixteen tokens from i on, those below `to` that somebody is asked about, a bit each. `mute`: what counts for nobody. */
static inline unsigned ph_asked_some(const ph_asked *a, int i, int to, unsigned mute) {
    unsigned some = 0;
#if defined(__x86_64__)
    __m128i who = _mm_andnot_si128(_mm_set1_epi8((char)(mute | A_SAYS)), _mm_loadu_si128((const __m128i *)(a->of + i)));
    some = 0xFFFF & ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(who, _mm_setzero_si128()));
#else
    for (unsigned k = 0; k < 16; k += 8) {
        uint64_t who;
        memcpy(&who, a->of + i + k, 8);
        who &= ~((mute | A_SAYS) * 0x0101010101010101u);
        who = (((who & 0x7F7F7F7F7F7F7F7Fu) + 0x7F7F7F7F7F7F7F7Fu) | who) >> 7 & 0x0101010101010101u;
        some |= (unsigned)((who * 0x0102040810204080u) >> 56) << k;
    }
#endif
    return to - i < 16 ? some & ((1u << (to - i)) - 1) : some;
}
#endif
