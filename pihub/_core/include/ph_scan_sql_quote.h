/* What a quote, and a condition in a sentence, may mean to SQL; ph_scan_sql.h includes it. */
#ifndef PH_SCAN_SQL_QUOTE_H
#define PH_SCAN_SQL_QUOTE_H

/* In a sentence: what follows the `and`, `or`, `is` at j has nothing of SQL's but words. */
static int ph_sql_spoken(const ph_lexer *x, const ph_tok *t, int j) {
    if (!(t[j].flags & F_SPACE) || !(t[j].kinds & (K_LOGIC | K_CMP)) || t[j + 1].type == TK_NUM || t[j + 1].type == '@') {
        return 0;
    }
    for (int k = j + 1; k < j + 9 && t[k].type != TK_END; k++) {
        uint8_t c = t[k].type;
        if (c == '=' || c == '<' || c == '>' || c == '!' || c == '#' || c == '|' || c == '&' || c == TK_CMT
            || t[k].kinds & (K_SELECT | K_UNION | K_SIDE) || (c == '(' && ph_is(x, &t[k - 1], "against")) || (t[k].kinds & K_FUNC && t[k + 1].type == '(')
            || (ph_is(x, &t[k], "boolean") && ph_is(x, &t[k + 1], "mode"))
            || (ph_quote(c) && t[k + 1].type == c && t[k + 1].at == t[k].at + 1) || (k > j + 1 && ph_is_any(x, &t[k], "like rlike regexp glob") && ph_quote(t[k + 1].type))) {
            return 0;
        }
        if (c == '.' || c == ';') {
            return 1;
        }
    }
    return 1;
}

static inline int ph_sql_mark(uint8_t quote) { return quote == '\'' ? 0 : quote == '"' ? 1 : 2; }

/* don't, it's: an apostrophe, no quote. */
static int ph_apostrophe(const ph_lexer *x, const ph_tok *t, int i) {
    return t[i].type == '\'' && i && t[i - 1].type == TK_WORD && !(t[i].flags & F_SPACE) && !(t[i + 1].flags & F_SPACE)
        && ph_is_any(x, &t[i + 1], "s t re ve ll d m");
}

/* At each quote: what the value itself has quoted ends here, a sentence's mention, not an injection, which ends a
 * string that began outside of the value. */
static int ph_sql_closes(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s) {
    uint8_t *inside = &s->inside[ph_sql_mark(t[i].type)];
    if (ph_apostrophe(x, t, i)) {
        return 1;
    }
    *inside ^= 1;
    return !*inside;
}

/* From i on stands a value that only SQL computes: a sub-select, or a function that it has. */
static int ph_sql_known(const ph_tok *t, int i) {
    for (int k = i; k < i + 12 && t[k].type != TK_END; k++) {
        if (t[k].kinds & K_SELECT || (t[k].kinds & (K_FUNC | K_SIDE) && t[k + 1].type == '(' && !(t[k + 1].flags & F_SPACE))
            || t[k].type == '@') {
            return 1;
        }
    }
    return 0;
}

/* From i on something is compared, or asked of a table. */
static int ph_sql_judged(const ph_lexer *x, const ph_tok *t, int i) {
    int more;
    for (int k = i; k < i + 24 && t[k].type != TK_END; k++) {
        if (t[k].kinds & (K_SELECT | K_SIDE) || (t[k].kinds & K_CMP ? !ph_is(x, &t[k], "is") && !ph_is(x, &t[k], "in")
                : ph_sql_compare(x, t, k, &more))) {
            return 1;
        }
    }
    return 0;
}

/* "and" in a sentence: the quote at i opens what the next one closes, and the sentence goes on. */
static int ph_sql_term(const ph_tok *t, int i) {
    int k = i + 1;
    while (k < i + 30 && t[k].type != t[i].type && t[k].type != TK_END) {
        k++;
    }
    return (i == 0 || t[i].flags & F_SPACE || t[i - 1].type == '(') && t[k].type == t[i].type && !(t[k].flags & F_SPACE)
        && (t[k + 1].flags & F_SPACE || t[k + 1].type == TK_END || (t[k + 1].type > TK_CMT && memchr(".,;:)/-", t[k + 1].type, 7)));
}

/* Between two strings an operator on documents: '...' ? 'a', @>, <@, ->, ->>, #> (PostgreSQL manual, 9.16). */
static int ph_sql_document(const ph_tok *t, int j) {
    uint8_t a = t[j].type, b = t[j + 1].type;
    if (a == '?') {
        return ph_quote(b) ? t[j + 1].flags & F_SPACE : (b == '|' || b == '&') && t[j + 2].type == TK_WORD;
    }
    return ((a == '@' && b == '>') || (a == '<' && b == '@') || (a == '-' && b == '>') || (a == '#' && b == '>'))
        && (ph_quote(t[j + 2].type) || ph_quote(t[j + 3].type));
}

/* The quote at i is closed again later on. */
static int ph_sql_closed(const ph_tok *t, int i) {
    for (int k = i + 1; k < i + 30 && t[k].type != TK_END; k++) {
        if (t[k].type == t[i].type) {
            return 1;
        }
    }
    return 0;
}

/* An operator at j that MySQL, PostgreSQL, SQL Server, Oracle or SQLite puts between two values: the token behind it. */
static int ph_sql_operator(const ph_lexer *x, const ph_tok *t, int j) {
    int k = j;
    while (k < j + 4 && t[k].type > TK_CMT && memchr("=<>!^|&*/%+-~?@#", t[k].type, 16)
           && (k == j || !(t[k].flags & F_SPACE || memchr("+-~", t[k].type, 3)))
           && ((t[k].type != '#' && t[k].type != '@') || t[k + 1].type == '>' || (k > j && t[k - 1].type == '<'))) {
        k++;
    }
    if (k == j && (t[j].kinds & K_CMP || ph_role(x, &t[j]) & R_OPERATOR)) {
        while (k < j + 3 && (t[k].kinds & K_CMP || ph_role(x, &t[k]) & R_OPERATOR)) {
            k++;
        }
        k += ph_is(x, &t[k], "distinct") && ph_is(x, &t[k + 1], "from") ? 2 : ph_is(x, &t[k], "to") && ph_is(x, &t[k - 1], "similar");
    }
    return k;
}

/* Behind the quote before j: what is reckoned with it, and nothing else but a comment. */
static int ph_sql_cut(const ph_lexer *x, const ph_tok *t, int j) {
    int k = ph_sql_operator(x, t, j), next;
    for (int n = 0; k > j && n < 4; n++) {
        int what = ph_sql_sum(x, t, k, &next);
        int name = what == 3 || (!what && t[k].type == '?' && (next = k + 1));
        if ((!what && !name) || (name && (n || t[j].type == '/'))) {
            return 0;
        }
        next += t[next].type == ';' && t[next + 1].type == TK_CMT;
        if (!name && ph_is(x, &t[next], "limit") && t[next + 1].type == TK_NUM) {
            return 1;
        }
        if (t[next].type == TK_CMT || t[next].type == '#') {
            return !name || (t[next].type == TK_CMT && t[next + 1].type == TK_END && t[j].type != '-');
        }
        j = next;
        k = ph_sql_operator(x, t, j);
    }
    return 0;
}

/* A list of values behind a quote, which a bracket and a comment end: x',1,null)-- */
static int ph_sql_listed(const ph_lexer *x, const ph_tok *t, int j) {
    int next = j, what = 1;
    for (int n = 0; n < 6 && t[next].type == ',' && what; n++) {
        what = ph_sql_value(x, t, next + 1, &next);
    }
    return what && next > j && t[next - 1].type == ')' && (t[next].type == TK_CMT || (t[next].type == '#' && t[next + 1].type == TK_END));
}

/* Compares: the last string of several, which begins here, is ended outside of the value. */
static inline int ph_sql_compares(uint8_t type) { return type == '=' || type == '<' || type == '>'; }

static void ph_sql_quote(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s, ph_verdict *v) {
    int j = i + 1, next, closes = s->closes;
    while (j < i + 6 && (t[j].type == ')' || t[j].type == '%')) {
        j++;
    }
    unsigned points = ph_sql_clause(x, t, j);
    if (t[i].flags & F_VERSION) {
        ph_once(v, PH_S_SQL, &s->seen, Q_VERSION, 60, "version-comment", t[i].at);
    }
    if (points >= 50 && t[i].type == '"' && !(s->quotes & 1) && t[j].kinds & K_LOGIC && t[j + 1].type == '"'
        && s->phrase && ph_is_any(x, &t[j], "or and")) {
        points = 30;                                      /* "one phrase" and "another": a search */
    }
    if (points >= 50 && v->prose && (closes || t[i].type == '`' || ph_sql_term(t, i) || ph_sql_spoken(x, t, j))) {
        points = 10;
    }
    s->phrase = i == 0 ? t[1].type == TK_WORD && t[i].type == '"' : s->phrase;
    const ph_tok *b = i ? &t[i - 1] : &t[i + 1];
    int joins = b->kinds & (K_LOGIC | K_CMP) || (b->type > TK_CMT && memchr("+-*/|&=<>!^%~", b->type, 13)) || (ph_role(x, b) & R_OPERATOR && t[i].type == '\'');
    if (s->quotes == 1 && (t[i + 1].kinds & (K_LOGIC | K_CMP) || ph_role(x, &t[i + 1]) & R_OPERATOR || (t[i + 1].type > TK_CMT
            && memchr("+-*/|&=<>!^%", t[i + 1].type, 12)))) {
        s->open = t[i].type;
    } else if ((s->quotes == 2 || (s->quotes < 8 && !(s->quotes & 1) && !v->prose && v->where != PH_W_JSON && t[i + 1].type == TK_WORD
               && ph_sql_compares(b->type)))
               && s->open == t[i].type && joins && t[i + 1].type <= TK_NUM
               && (t[i + 1].type == TK_END || t[i + 2].type == TK_END || ph_sql_ends(&t[i + 2]))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_OPS, 60, "quote-operator-quote", t[i].at);
    }
    if (points >= 50) {
        ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, points, "quote-then-clause", t[i].at);
    }
    if (t[j].type == TK_CMT || t[j].type == '#' || (t[j].type == ';' && t[j + 1].type == TK_CMT)) {
        int k = j + 1 + (t[j].type == ';');
        int tail = t[k].type == TK_END || t[k].flags & F_SPACE || t[k].type == '-' || t[k].type == '+'
            || t[k].type == TK_CMT;
        if (v->prose && t[k].type != TK_END && (closes || t[i].type == '`' || ph_sql_closed(t, i))) {
            tail = 0;                                     /* 'a name' -- what it says; "# type" */
        }
        if (v->prose && !tail) {
        } else if (t[j].type == '#' ? t[k].type == TK_END || (t[k].flags & F_SPACE && s->quotes & 1) : tail) {
            ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 60, "quote-then-comment", t[i].at);
        }
    }
    int odd = s->quotes & 1 || i == 0 || (s->quotes == 2 && ph_quote(t[i - 1].type) && t[i - 1].type != t[i].type);
    if (odd && !(v->prose && (closes || (t[j].flags & F_SPACE && t[j].type != TK_WORD) || ph_quote(t[j + 1].type)
            || t[j].type == '-' || t[j].type == '+' || t[j].type == '/')) && !ph_apostrophe(x, t, i) && ph_sql_cut(x, t, j)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 60, "quote-then-comment", t[i].at);
    }
    if (!v->prose && s->quotes == 1 && t[j].type == ';' && j == i + 1 && (i || t[j + 1].type != TK_END)) {
        int last = t[j + 1].type == TK_END || (t[j + 1].kinds & (K_STMT | K_SELECT) && !(t[j + 1].flags & F_SPACE));
        ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, last && (!i || t[i - 1].type <= TK_NUM) && v->where != PH_W_JSON ? 60 : 10, "quote-then-end", t[i].at);
    }
    if (t[j].type == ',' && odd && !v->prose && (ph_sql_listed(x, t, j) || (s->quotes == 1 && j == i + 1 && t[j + 1].type == TK_WORD
            && t[j + 2].type == '=' && t[j + 3].type == t[i].type && !(t[i].flags & F_SPACE)))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 60, "quote-then-list", t[i].at);
    }
    if (s->quotes == 1 && !v->prose && v->where != PH_W_JSON && j == i + 1 && !ph_sql_closed(t, i) && (t[j].kinds & K_SELECT
            ? !(t[j].flags & F_SPACE) && t[j + 1].type == TK_WORD
            : i == 0 && t[j].kinds & K_CMP && t[j + 1].type == TK_END && !ph_is_any(x, &t[j], "is in not match"))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 60, "quote-then-clause", t[i].at);
    }
    if ((!v->prose || (i && (t[i - 1].type == '}' || t[i - 1].type == ']'))) && j == i + 1 && ph_sql_document(t, j)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_OPS, 60, "document-operator", t[i].at);
    }
    uint8_t op = t[j].type;
    if (op == TK_WORD) {
        int at = ph_sql_operator(x, t, j);
        if (at > j && odd && !v->prose && ph_sql_bases(x, t, at)) {
            ph_once(v, PH_S_SQL, &s->seen, Q_CONCAT, 60, "concatenation", t[i].at);
        }
    } else if (op == '|' && t[j + 1].type == '|') {
        int what = ph_sql_value(x, t, j + 2, &next);
        ph_once(v, PH_S_SQL, &s->seen, Q_CONCAT, what == 2 || (what == 4 && t[j + 3].type == '@') ? 60 : what == 1 ? 50 : 20, "concatenation", t[i].at);
    } else if (op == '+' || op == '-' || op == '*' || op == '^' || op == '/' || op == '%' || op == '&' || op == ',') {
        int what = ph_sql_value(x, t, j + 1, &next);
        int at = ph_sql_operator(x, t, j);
        if (op != ',' && op != '-' && at > j && !v->prose && ph_sql_bases(x, t, at)) {
            ph_once(v, PH_S_SQL, &s->seen, Q_CONCAT, 60, "concatenation", t[i].at);
        } else if (what == 2 && op != ',' && t[j + 1].type != TK_WORD) {
            ph_once(v, PH_S_SQL, &s->seen, Q_CONCAT, 50, "concatenation", t[i].at);
        } else if (what == 1 && ph_quote(t[j + 1].type) && t[j + 1].type == t[i].type && op != ',' && op != '/'
                   && op != '-') {
            ph_once(v, PH_S_SQL, &s->seen, Q_CONCAT, 30, "concatenation", t[i].at);
        }
    } else if ((op == '=' || op == '<' || op == '>' || op == '!') && j == i + 1 && ph_sql_compare(x, t, j, &next)) {
        uint8_t c = t[next].type;
        int same = c == t[i].type || (c == '(' && t[next + 1].type == t[i].type);
        int broken = i > 0 && i < 3 && s->quotes == 1;    /* aa'='aa */
        int literals = (i == 2 || i == 1) && t[0].type == t[i].type && v->where != PH_W_JSON && !(t[i + 1].flags & F_SPACE);       /* 'a'!='b */
        int document = i && (t[i - 1].type == '}' || t[i - 1].type == ']') && t[next + 1].type == '$'
            && (t[next + 2].type == '.' || t[next + 2].type == '[');
        if (same && document) {                           /* '{"a":1}' > '$.b' */
            ph_once(v, PH_S_SQL, &s->seen, Q_OPS, 60, "document-operator", t[i].at);
        } else if (v->prose && (closes || t[i].flags & F_SPACE)) {
        } else if (same) {
            ph_once(v, PH_S_SQL, &s->seen, Q_QUOTE, broken || literals ? 60 : 40, "quoted-comparison", t[i].at);
        } else if (broken && t[next].kinds & (K_FUNC | K_SIDE) && t[next + 1].type == '(') {
            ph_once(v, PH_S_SQL, &s->seen, Q_QUOTE, 60, "quoted-comparison", t[i].at);
        }
    }
}
#endif
