/* Which verifiers have a question at a token, by what it is and what stands behind it.
 *
 * No more than a way to go on quickly where no rule can say anything: what is left out here is what every rule
 * of that verifier leaves out itself. A rule about a mark that is not here is never asked, so it belongs here too;
 * tests/core/test_scanner_asks.py judges with and without this table (PH_ASK_ALL) and wants the same.
 */
#ifndef PH_SCAN_ASKS_H
#define PH_SCAN_ASKS_H

#include "ph_scan_sql.h"

enum { A_SQL = 1, A_SCRIPT = 2, A_SHELL = 4, A_TEMPLATE = 8, A_CODE = 16, A_NAME = 32, A_QUOTE = 64, A_ALL = 63 };

typedef struct ph_question { char mark; uint8_t who; const char *behind; } ph_question;

/* `behind`: the next token's mark; w a word, 1 a number, - also a comment; NULL any at all. Numbers and comments
 * themselves are asked about in ph_asks. */
static const ph_question ph_questions[] = {
    {'\'', A_SQL, "w)%|&;#+-*^/,=<>!?@"}, {'"', A_SQL, "w)%|&;#+-*^/,=<>!?@"}, {'`', A_SQL, "w)%|&;#+-*^/,=<>!?@"},
    {'\'', A_SHELL, "w"}, {'"', A_SHELL, "w"}, {'`', A_SHELL, "w/"}, {')', A_SHELL, "w"}, {'=', A_SHELL, "w"},
    {',', A_SHELL, "w"}, {'{', A_SHELL, "w,"}, {'(', A_SHELL, ")"}, {'/', A_SHELL, "w1/?*[]"}, {'$', A_SHELL, "w[({@"},
    {'\\', A_SHELL, "w"}, {';', A_SHELL, NULL}, {'&', A_SHELL, NULL}, {'|', A_SHELL, NULL},
    {')', A_SQL, "w"}, {';', A_SQL, "w"}, {'|', A_SQL, "|"}, {'&', A_SQL, "&"}, {':', A_SQL, ":"}, {'@', A_SQL, "@"},
    {'@', A_SCRIPT, "w"}, {'!', A_SCRIPT, "w"}, {'[', A_SCRIPT, "]"},
    {'{', A_TEMPLATE, "w1{%$"}, {'$', A_TEMPLATE, "{"}, {'#', A_TEMPLATE, "{w"}, {'*', A_TEMPLATE, "{"},
    {'@', A_TEMPLATE, "{(w"}, {'~', A_TEMPLATE, "{"}, {'%', A_TEMPLATE, "{"}, {'<', A_TEMPLATE, "%#@"}, {'[', A_TEMPLATE, "["},
    {')', A_CODE, "(."}, {'(', A_CODE, "w|&!"}, {'*', A_CODE, ")("}, {':', A_CODE, "=:"}, {'@', A_CODE, "{"},
    {'$', A_CODE, "w${"}, {';', A_CODE, "w"}, {']', A_CODE, "("}, {'[', A_CODE, "w/"}, {'{', A_CODE, "/"}, {'!', A_CODE, "!"},
};

typedef struct ph_asked { uint8_t who[128][128]; } ph_asked;        /* by the types of two tokens */

static void ph_asked_build(ph_asked *a) {
    memset(a, 0, sizeof *a);
    for (size_t k = 0; k < sizeof ph_questions / sizeof *ph_questions; k++) {
        const ph_question *q = &ph_questions[k];
        uint8_t *row = a->who[(uint8_t)q->mark];
        for (unsigned next = 0; next < 128; next++) {
            unsigned as = next == TK_WORD ? 'w' : next == TK_NUM ? '1' : next == TK_CMT ? '-' : next;
            row[next] |= !q->behind || (as && strchr(q->behind, (int)as)) ? q->who : 0;
        }
    }
    for (unsigned next = 0; next < 128; next++) {
        a->who['\''][next] |= A_QUOTE;
        a->who['"'][next] |= A_QUOTE;
        a->who['`'][next] |= A_QUOTE;
    }
    a->who['#'][TK_END] |= A_SQL;
    a->who[TK_CMT][TK_END] |= A_SQL;
}

#define PH_SQL_WORDS (K_LOGIC | K_UNION | K_SELECT | K_STMT | K_SIDE | K_FUNC | K_META | K_CLAUSE)

static inline unsigned ph_asks_word(const ph_lexer *x, const ph_tok *t) {
    const uint8_t *w = x->p + t->at;
    uint32_t k = t->kinds;
    unsigned who = (w[0] == 'o' && w[1] == 'n' ? A_SCRIPT : 0) | (t->len >= 9 ? A_NAME : 0)
        | (w[0] == 'j' || w[0] == 'c' || w[0] == 'o' || w[0] == 'd' || w[0] == 's' || w[0] == 'g' ? A_CODE : 0)
        | (w[0] == 'w' || w[0] == 'f' ? A_CODE : 0);
    return k == 0 ? who : who | (k & (K_FILE | K_SCHEME) ? A_NAME : 0)
        | (k & PH_SQL_WORDS ? A_SQL : 0) | (k & (K_SINK | K_OBJ) ? A_SCRIPT : 0) | (k & (K_CMD | K_TOOL) ? A_SHELL : 0)
        | (k & (K_PHP | K_PHPX | K_JAVA | K_NODE | K_OBJ | K_AGENT) ? A_CODE : 0);
}

/* The verifiers that are asked about token i; quotes are counted. */
static inline unsigned ph_asks(const ph_asked *a, const ph_lexer *x, const ph_tok *t, int i, ph_sql *sql) {
    uint8_t type = t[i].type, flags = t[i].flags;
    unsigned who = type == TK_WORD ? ph_asks_word(x, &t[i]) : a->who[type][t[i + 1].type];
    unsigned quote = who / A_QUOTE;
    sql->quotes += quote;
    who |= flags & (F_FIRST | F_LINE) ? A_SHELL | A_CODE : 0;
    who |= quote & (i == 0 || sql->quotes <= 2 || flags & F_VERSION) ? A_SQL : 0;
    who |= type == TK_NUM && (i == 0 || ph_quote(t[i - 1].type)) ? A_SQL : 0;
#ifdef PH_ASK_ALL
    who |= A_ALL;
#endif
    return who;
}
#endif
