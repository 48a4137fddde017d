/* SQL injection: shapes around each keyword, quote, semicolon and comment, wherever they stand.
 *
 * What blocks is a shape that only SQL has (union select 1, or 1=1, sleep(5), a quote followed by a
 * clause); single words and prose never do.
 */
#ifndef PH_SCAN_SQL_H
#define PH_SCAN_SQL_H

#include "ph_scan_lex.h"

enum { Q_CMP, Q_FUNC, Q_FUNC2, Q_FUNC3, Q_SUB, Q_ORDER, Q_BREAK, Q_TAIL, Q_CASE, Q_CONCAT, Q_FROM, Q_AT, Q_NULLS,
    Q_LOGIC, Q_QUOTE, Q_META, Q_OPS, Q_VERSION };

typedef struct ph_sql {
    uint64_t seen;
    unsigned quotes;
    unsigned plain;             /* some word before means nothing to SQL */
    uint8_t phrase;             /* the value begins with a quoted word */
    uint8_t open;               /* the first quote, if an operator stands after it */
    uint8_t inside[3];          /* of ', ", `: a string of the value's own is open */
    uint8_t closes;             /* of prose: the quote at hand ends such a one */
} ph_sql;

static inline int ph_sql_open(uint8_t t) {
    return t == '(' || t == '+' || t == '-' || t == '~' || t == '!' || t == '\\';
}

/* PostgreSQL's $$...$$ or $tag$...$tag$ at j: the token behind it, 0: none. Money too is written $1. */
static int ph_sql_dollars(const ph_tok *t, int j) {
    int k = j + 1 + (t[j + 1].type == TK_WORD);
    if (t[j].type != '$' || t[k].type != '$') {
        return t[j].type == '$' && t[j + 1].type == TK_NUM ? j + 2 : 0;
    }
    int tag = k - j;
    for (k++; k < j + 10 && t[k].type != TK_END; k++) {
        if (t[k].type == '$' && t[k + tag].type == '$') {
            return k + tag + 1;
        }
    }
    return 0;
}

/* A value from token i on: 0 none, 1 constant, 2 function or sub-select, 3 column or word,
 * 4 a variable. *next: the token after it. */
static int ph_sql_value(const ph_lexer *x, const ph_tok *t, int i, int *next) {
    int j = i, what = 0;
    while (j < i + 14 && (ph_sql_open(t[j].type) || ph_is(x, &t[j], "not") || ph_is(x, &t[j], "binary"))) {
        j++;
    }
    j += t[j].type == '.' && t[j + 1].type == TK_NUM;                   /* .5 */
    j += t[j].type == TK_WORD && ph_quote(t[j + 1].type) && !(t[j + 1].flags & F_SPACE)     /* n'a', x'41', _utf8'a' */
        && (ph_is_any(x, &t[j], "n x b e q u nq") || x->p[t[j].at] == '_');
    if (t[j].type == TK_NUM) {
        what = 1;
        j++;
        j += t[j].type == '.' && !(t[j].flags & F_SPACE) && t[j + 1].type != TK_WORD && t[j + 1].type != TK_END;
        for (int k = 0; k < 4 && j > i + 1 && t[i].type == '(' && t[j].type == ',' && t[j + 1].type == TK_NUM; k++) {
            j += 2;                                       /* (1, 2) */
        }
    } else if (ph_quote(t[j].type)) {
        uint8_t q = t[j].type;
        int k = j + 1;
        while (k < j + 8 && t[k].type != q && t[k].type != TK_END) {
            k++;
        }
        what = 1;
        j = k + (t[k].type == q);
    } else if (t[j].type == '$' && (*next = ph_sql_dollars(t, j))) {
        what = 1;
        j = *next;
    } else if (t[j].type == '@') {
        what = 4;
        while (t[j].type == '@') {
            j++;
        }
        j += t[j].type == TK_WORD;
    } else if (t[j].type == TK_WORD) {
        what = t[j].kinds & K_CONST || (j > i && t[j - 1].type == '\\' && ph_is(x, &t[j], "n")) ? 1 : 3;
        if (ph_role(x, &t[j]) & R_BARE || (t[j].kinds & K_FUNC && ph_is_any(x, &t[j], "current_user session_user system_user"))) {
            what = 2;
        }
        if (t[j].kinds & K_SELECT) {
            what = 2;
        }
        j++;
        while (t[j].type == '.' && t[j + 1].type == TK_WORD && j < i + 14) {
            j += 2;
        }
        if (t[j].type == '(') {
            int depth = 0, k = j;
            do {
                depth += t[k].type == '(' ? 1 : t[k].type == ')' ? -1 : 0;
                k++;
            } while (depth && k < i + 24 && t[k].type != TK_END);
            what = 2;
            j = k;
        }
    }
    while (what && j < i + 30 && (t[j].type == ')' || (t[j].type == ':' && t[j + 1].type == ':' && t[j + 2].type == TK_WORD))) {
        j += t[j].type == ')' ? 1 : 3;
    }
    *next = j;
    return what;
}

static inline int ph_sql_compare(const ph_lexer *x, const ph_tok *t, int i, int *next) {
    uint8_t c = t[i].type;
    int j = i;
    if (c == '=' || c == '<' || c == '>' || c == '!' || c == '^') {
        while (j < i + 3 && (t[j].type == '=' || t[j].type == '<' || t[j].type == '>' || t[j].type == '!'
            || t[j].type == '^')) {
            j++;
        }
        *next = j;
        return c != '!' || j > i + 1;
    }
    if (t[i].type == TK_WORD && ph_is(x, &t[i], "member") && ph_is(x, &t[i + 1], "of") && t[i + 2].type == '(') {
        *next = i + 2;
        return 1;
    }
    if (t[i].kinds & K_CMP) {
        while (j < i + 3 && t[j].kinds & K_CMP) {
            j++;
        }
        j += ph_is(x, &t[j], "to") && ph_is(x, &t[j - 1], "similar") ? 1 : ph_is(x, &t[j], "distinct") && ph_is(x, &t[j + 1], "from") ? 2 : 0;
        *next = j;
        return 1 + (ph_is(x, &t[i], "is") || ph_is(x, &t[i], "in"));
    }
    return 0;
}

/* The value at i with what is reckoned onto it: 1 + 2 * 3. */
static int ph_sql_sum(const ph_lexer *x, const ph_tok *t, int i, int *next) {
    int what = ph_sql_value(x, t, i, next), more;
    for (int k = 0; what && k < 6 && *next < i + 24; k++) {
        uint8_t c = t[*next].type;
        if (c != '+' && c != '-' && c != '*' && c != '/' && c != '%') {
            break;
        }
        int b = ph_sql_value(x, t, *next + 1, &more);
        if (b != 1 && b != 2) {
            break;
        }
        what = b > what ? b : what;
        *next = more;
    }
    return what;
}

/* The value at i is what only a database computes: a function of one, behind signs and brackets. */
static int ph_sql_bases(const ph_lexer *x, const ph_tok *t, int i) {
    int k = i;
    while (k < i + 8 && (ph_sql_open(t[k].type) || ph_is_any(x, &t[k], "not binary"))) {
        k++;
    }
    return ph_role(x, &t[k]) & R_BARE || ((t[k].kinds & (K_FUNC | K_SIDE) || ph_role(x, &t[k]) & R_CALLED) && t[k + 1].type == '('
        && !ph_is_any(x, &t[k], "left right values count date time month day year point distance contains exists"));
}

static inline int ph_sql_ends(const ph_tok *t) {
    return t->type == TK_END || t->type == TK_CMT || t->type == '#' || t->type == ';';
}

/* The list of a select: 2 unmistakable, 1 perhaps, 0 prose. */
static int ph_sql_list(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i, next;
    while (j < i + 4 && (ph_is_any(x, &t[j], "all distinct top distinctrow unique high_priority straight_join sql_cache sql_no_cache "
            "sql_calc_found_rows sql_small_result sql_big_result sql_buffer_result") || t[j].type == '(')) {
        j++;
    }
    if (j > i && t[j].type == TK_NUM && ph_is(x, &t[j - 1], "top")) {
        j++;
    }
    if (t[j].kinds & K_SELECT || (t[j].type == '{' && t[j + 1].type == TK_WORD && t[j + 2].type != ':')) {
        return 2;
    }
    if (t[j].type == '.' && !(t[j].flags & F_SPACE) && t[j + 1].type == TK_WORD && ph_digit(x->p[t[j + 1].at]) && !(t[j + 1].flags & F_SPACE)) {
        return 2;                                         /* .2x: a number, and its name without a space */
    }
    int what = ph_sql_value(x, t, j, &next);
    if (t[j].type == '*') {
        return ph_is(x, &t[j + 1], "from") || ph_sql_ends(&t[j + 1]) || t[j + 1].type == ',' ? 2 : 1;
    }
    if (what == 3) {
        if (t[next].type == ',' || ph_quote(t[next].type) || t[next].type == '|') {
            return 2;
        }
        return ph_is(x, &t[next], "from") ? 1 : 0;
    }
    if (what == 1) {
        return t[j].type != TK_NUM || t[next].type != TK_WORD || t[next].kinds & K_CLAUSE ? 2 : 1;
    }
    return what ? 2 : 0;
}

/* A statement that begins at keyword i: points. */
static unsigned ph_sql_statement(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *a = &t[i + 1], *b = &t[i + 2];
    if (t[i].kinds & K_SELECT) {
        int list = ph_sql_list(x, t, i + 1);
        return list == 2 ? 60 : list == 1 ? 40 : 0;
    }
    if (ph_is_any(x, &t[i], "insert replace")) {
        return ph_is(x, a, "into") && b->type == TK_WORD && (t[i + 3].type == '(' || t[i + 3].type == '.'
            || ph_is_any(x, &t[i + 3], "values select set")) ? 70 : 0;
    }
    if (ph_is(x, &t[i], "update")) {
        return a->type == TK_WORD && ph_is(x, b, "set") && t[i + 3].type == TK_WORD && t[i + 4].type == '='
            ? 70 : 0;
    }
    if (ph_is(x, &t[i], "delete")) {
        if (ph_is_any(x, a, "quick low_priority ignore") && ph_is(x, b, "from")) {
            return 60;
        }
        return ph_is(x, a, "from") && b->type == TK_WORD && (ph_sql_ends(&t[i + 3])
            || ph_is_any(x, &t[i + 3], "where limit using")) ? 60 : 0;
    }
    if (ph_is_any(x, &t[i], "drop create alter truncate")) {
        if (t[i - (i > 0)].type == ';' && a->type == TK_WORD && ph_sql_ends(b) && b->type != TK_END) {
            return 60;
        }
        return a->kinds & K_TABLE && (b->type == TK_WORD || ph_quote(b->type) || b->type == '[') ? 60 : 0;
    }
    if (ph_is_any(x, &t[i], "exec execute")) {
        if (ph_is(x, a, "immediate") && ph_quote(b->type)) {
            return 60;
        }
        int k = i + 1;
        while (k < i + 8 && (t[k].type == '.' || ph_is_any(x, &t[k], "master dbo sp_executesql immediate"))) {
            k++;
        }
        return t[k].kinds & K_SIDE || a->type == '@' || a->type == '(' || ph_at(x->p, x->n, t[k].at, "xp_")
            || ph_at(x->p, x->n, t[k].at, "sp_") || ph_is(x, a, "master") ? 60 : 0;
    }
    if (ph_is(x, &t[i], "declare")) {
        return a->type == '@' ? 70 : 0;
    }
    if (ph_is(x, &t[i], "begin") && a->type == TK_WORD && b->type == '.' && t[i + 3].type == TK_WORD && t[i + 4].type == '(') {
        return 60;
    }
    if (ph_is(x, &t[i], "merge")) {
        return ph_is(x, a, "into") && ph_is(x, &t[i + 3], "using") ? 60 : 0;
    }
    if (ph_is(x, &t[i], "waitfor")) {
        return ph_is_any(x, a, "delay time") ? 80 : 0;
    }
    if (ph_is(x, &t[i], "load")) {
        return ph_is_any(x, a, "data xml") && (ph_is_any(x, b, "infile local concurrent low_priority")) ? 70 : 0;
    }
    if (ph_is_any(x, &t[i], "grant revoke")) {
        return ph_is_any(x, b, "on to from") || b->type == ',' ? 60 : 0;
    }
    if (ph_is_any(x, &t[i], "shutdown reconfigure begin")) {
        return ph_sql_ends(a) || ph_is(x, a, "with") ? 20 : 0;
    }
    if (ph_is(x, &t[i], "copy")) {
        return ph_is_any(x, b, "from to") && (ph_quote(t[i + 3].type) || (ph_is_any(x, &t[i + 3], "program stdin stdout"))) ? 60 : 0;
    }
    return 0;
}

/* After a quote or bracket that ends somebody's string: does a clause follow? */
static unsigned ph_sql_clause(const ph_lexer *x, const ph_tok *t, int j) {
    int next, more;
    const ph_tok *k = &t[j];
    if (k->kinds & K_LOGIC || ((k->type == '|' || k->type == '&') && t[j + 1].type == k->type)) {
        j += k->type == TK_WORD ? 1 : 2;
        int what = ph_sql_sum(x, t, j, &next);
        if (ph_is(x, &t[j], "match")) {                   /* match (a, b) against ('c') */
            for (int m = j + 1; m < j + 12 && t[m].type != TK_END; m++) {
                if (ph_is(x, &t[m], "against") && (t[m + 1].type == '(' || ph_quote(t[m + 1].type))) {
                    return 60;
                }
            }
        }
        if (what == 2 || what == 4) {
            return 60;
        }
        if (what && ph_sql_compare(x, t, next, &more)) {
            return 60;
        }
        if (ph_quote(t[j].type) && t[j + 1].type == t[j].type && t[j + 1].at == t[j].at + 1) {
            return 60;                                    /* or '' */
        }
        return what == 1 && (ph_sql_ends(&t[next]) || t[next].kinds & (K_LOGIC | K_UNION)) ? 60 : what ? 10 : 0;
    }
    if (k->kinds & K_UNION) {
        return ph_is_any(x, &t[j + 1], "select all distinct") || t[j + 1].type == '(' ? 60 : 0;
    }
    if (ph_is_any(x, k, "order group")) {
        return ph_is(x, &t[j + 1], "by") ? 50 : 0;
    }
    if (ph_is_any(x, k, "having where")) {
        int what = ph_sql_value(x, t, j + 1, &next);
        return what && ph_sql_compare(x, t, next, &more) ? 60 : 0;
    }
    if (ph_is(x, k, "limit")) {
        return t[j + 1].type == TK_NUM ? ph_is(x, &t[j + 2], "offset") || t[j + 2].type == ',' || t[j + 2].type == TK_CMT ? 60 : 50 : 0;
    }
    if (ph_is_any(x, k, "for lock returning")) {
        return ph_is_any(x, &t[j + 1], "update share") ? 60 : ph_is(x, &t[j + 1], "in") && ph_is(x, &t[j + 2], "share") ? 60
            : ph_is(x, k, "returning") && t[j + 1].type == TK_WORD && t[j + 2].type == TK_CMT ? 60 : 0;
    }
    if (ph_is_any(x, k, "procedure into")) {
        return ph_is_any(x, &t[j + 1], "analyse outfile dumpfile") ? 70 : 0;
    }
    if (ph_is(x, k, "as")) {
        return t[j + 1].type == TK_WORD && ph_is_any(x, &t[j + 2], "where union limit order") ? 60 : 0;
    }
    if (ph_is_any(x, k, "in with") && ph_is_any(x, &t[j + 1], "boolean natural query")) {
        return ph_is_any(x, &t[j + 2], "mode language expansion") ? 60 : 0;
    }
    if (k->kinds & K_CMP) {
        int what = ph_sql_compare(x, t, j, &next) ? ph_sql_value(x, t, next, &more) : 0;
        return what == 1 || what == 2 ? 50 : 0;
    }
    if (k->type == ';') {
        return t[j + 1].kinds & (K_STMT | K_SELECT) ? 30 + ph_sql_statement(x, t, j + 1)
            : ph_sql_ends(&t[j + 1]) ? 20 : 0;
    }
    return 0;
}
#include "ph_scan_sql_quote.h"
#include "ph_scan_sql_stack.h"
#include "ph_scan_sql_calls.h"
#include "ph_scan_sql_rules.h"
#endif
