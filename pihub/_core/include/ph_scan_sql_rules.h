/* The anchors of ph_scan_sql.h: what is asked at each token. */
#ifndef PH_SCAN_SQL_RULES_H
#define PH_SCAN_SQL_RULES_H

static void ph_sql_logic(const ph_lexer *x, const ph_tok *t, int i, int after, ph_sql *s, ph_verdict *v) {
    int next, more, end;
    int a = ph_sql_sum(x, t, after, &next);
    if (!a || (v->prose && t[after].type == '`')) {
        return;
    }
    int cmp = ph_sql_compare(x, t, next, &more);
    if (i && (ph_quote(t[i - 1].type) ? !v->prose || s->inside[ph_sql_mark(t[i - 1].type)] : !v->prose && t[i - 1].type == TK_NUM)
            && ph_is_any(x, &t[next], "isnull notnull")
            && (ph_sql_ends(&t[next + 1]) || t[next + 1].kinds & K_LOGIC)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_CMP, 60, "comparison-after-break", t[i].at);
    }
    if (cmp && v->prose && t[next].kinds & K_CMP && ph_is_any(x, &t[next], "is in not match between") && t[more].type != TK_NUM
        && t[more].type != '(' && t[more].type != '\'' && !(ph_is(x, &t[more], "null") && i && t[i - 1].type > TK_WORD && !(t[i - 1].type == '`'))) {
        return;
    }
    int b = cmp ? ph_sql_sum(x, t, more, &end) : 0;
    int minus = i == 2 && t[0].type == '-' && t[1].type == TK_NUM && !(t[1].flags & F_SPACE);
    int first = (i == 1 && t[0].type == TK_NUM) || minus; /* 1 and x = y */
    int closed = v->prose && i && ph_quote(t[i - 1].type) && !s->inside[ph_sql_mark(t[i - 1].type)];
    int broken = i > 0 && ((ph_quote(t[i - 1].type) && !closed) || t[i - 1].type == ')' || t[i - 1].type == TK_NUM
        || t[i].flags & F_COMMENT);
    if (a == 1 && b == 1) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "tautology", t[i].at);
    } else if (cmp && b && (a == 2 || b == 2 || a == 4 || b == 4) && !(v->prose && !ph_sql_known(t, after))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, a == 2 || t[more].type == '(' ? 60 : broken ? 60 : 30,
            "computed-comparison", t[i].at);
    } else if (cmp && b && first && (cmp == 1 || b == 1) && a != 1) {
        ph_once(v, PH_S_SQL, &s->seen, Q_CMP, cmp == 1 && ph_is_any(x, &t[next], "like in between not match") ? 40 : 60,
            "comparison-after-number", t[i].at);
    } else if (a == 1 && first && ph_sql_ends(&t[next]) && (minus || t[after].kinds & K_CONST || ph_quote(t[after].type)
               || t[after].type == '~' || t[after].type == '!' || ph_is(x, &t[after], "not") || t[i].flags & F_COMMENT)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
    } else if (a == 1 && broken && t[next].kinds & K_CLAUSE && ph_is_any(x, &t[next], "group order limit having")) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
    } else if (a == 1 && b == 3 && first && cmp == 1 && t[more].type == '(' && !v->prose) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "computed-comparison", t[i].at);
    } else if (t[after].kinds & K_SELECT && i && (t[i - 1].type == TK_NUM || ph_quote(t[i - 1].type) || t[i - 1].type == ')')
               && ph_sql_list(x, t, after + 1)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "sub-select", t[i].at);
    } else if (a == 2 && i == 0 && t[after].kinds & (K_FUNC | K_SIDE) && t[after + 1].type == '('
               && !(t[after + 1].flags & F_SPACE) && !ph_is_any(x, &t[after], "if left right values count")) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "function-condition", t[i].at);
    } else if (cmp && b && broken && t[i - 1].type != TK_NUM) {
        int odd = ph_quote(t[i - 1].type) && (v->prose ? !closed && t[end].type == TK_END : s->quotes & 1) && ph_is(x, &t[next], "is") && ph_sql_ends(&t[end]);
        ph_once(v, PH_S_SQL, &s->seen, Q_CMP, odd ? 60 : 50, "comparison-after-break", t[i].at);
    } else if (cmp && b && (broken || cmp == 1)) {
        int rest = i == 0 && t[i].kinds & K_LOGIC && v->where == PH_W_QUERY && !v->prose && t[next].type == '=' && more == next + 1
            && (t[end].type == TK_END || t[end].type == '#' || t[end].type == TK_CMT);
        ph_once(v, PH_S_SQL, &s->seen, Q_CMP, rest ? 60 : a == 3 && b == 3 ? 10 : 30, "comparison", t[i].at);
    } else if (a == 1 && broken && ph_sql_ends(&t[next]) && (t[next].type != TK_END || (s->seen >> Q_CMP & 1 && !v->prose))
               && !(v->prose && t[next].type == ';' && t[next + 1].type == TK_WORD)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
    } else if (a == 1 && ((closed && t[next - 1].type == ')') || (t[i - 1 + !i].type == TK_WORD && i > 1 && t[i - 2].type == '@'))
               && t[next].type == TK_CMT && t[next + 1].type == TK_END) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
    } else if (a == 2 && t[after].type == '(' && t[after + 1].kinds & K_SELECT) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "sub-select", t[i].at);
    } else if (a == 2 && (broken || i == 1 || (closed && t[next].type == TK_CMT && t[next + 1].type == TK_END)) && ph_sql_bases(x, t, after)) {
        unsigned points = t[next].type == TK_CMT || t[next].type == '#' ? 60 : v->prose ? t[i - 1].type == ')' ? 0 : 50 : broken ? 50 : 40;
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, points, "function-after-break", t[i].at);
    }
}

static void ph_sql_word(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s, ph_verdict *v) {
    uint32_t k = t[i].kinds;
    int starts = t[i].flags & F_FIRST || i == 0 || t[i - 1].type == '(' || t[i - 1].type == ';'
        || ph_quote(t[i - 1].type) || t[i - 1].type == ')' || t[i - 1].type == TK_CMT || t[i].flags & F_COMMENT
        || (i > 1 && t[i - 2].type == '@');
    if (t[i].flags & F_VERSION && k & (K_UNION | K_SELECT | K_LOGIC | K_STMT | K_FUNC | K_SIDE | K_CLAUSE)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_VERSION, 60, "version-comment", t[i].at);
    }
    if (k & K_UNION && i == 2 && t[0].type == '-' && t[1].type == TK_NUM && ph_is(x, &t[i], "union")) {
        ph_add(v, PH_S_SQL, 60, "union-after-number", t[i].at);
    }
    if (k & K_UNION && i && t[i - 1].type == TK_NUM && !v->prose && (t[i + 1].type == TK_CMT || (t[i + 1].type == '#'
            && (t[i + 2].type == TK_END || t[i + 2].type == TK_CMT || t[i + 2].type == '#')))) {
        ph_add(v, PH_S_SQL, 60, "union-after-number", t[i].at);
    }
    if (k & K_UNION) {
        int j = i + 1;
        while (j < i + 6 && (ph_is_any(x, &t[j], "all distinct distinctrow") || t[j].type == '(')) {
            j++;
        }
        if (t[j].kinds & K_SELECT) {
            int list = ph_sql_list(x, t, j + 1);
            int bare = t[j + 1].type == TK_END;
            unsigned points = list == 2 ? 80 : j > i + 1 || t[j].flags & F_COMMENT ? 60
                : (starts && s->quotes) || (i > 1 && t[i - 2].type == '@') ? 60 : list || starts ? 50 : 40;
            ph_add(v, PH_S_SQL, bare && !starts && j == i + 1 ? 40 : points, "union-select", t[i].at);
        } else if (starts || (i && (t[i - 1].type == TK_NUM || t[i - 1].type == ']')) || s->quotes) {
            int row = (ph_is(x, &t[i + 1], "values") && (t[i + 2].type == '(' || ph_is(x, &t[i + 2], "row")))
                || (ph_is(x, &t[i + 1], "table") && i && t[i + 2].type == TK_WORD && ph_sql_ends(&t[i + 3]));
            if (row && (!v->prose || ph_is(x, &t[i + 1], "values") || t[i + 3].type == TK_CMT)) {
                ph_add(v, PH_S_SQL, 60, "union-select", t[i].at);
            }
        }
        if (t[j].type == TK_WORD && j > i + 1 && !(t[j].kinds & K_SELECT) && ph_at(x->p, x->n, t[j].at, "select")) {
            ph_add(v, PH_S_SQL, 60, "union-select", t[i].at);
        }
    }
    if (k & K_LOGIC) {
        ph_sql_logic(x, t, i, i + 1, s, v);
    }
    if (k & (K_SELECT | K_STMT)) {
        unsigned points = ph_sql_statement(x, t, i);
        if (points && (starts || points >= 60)) {
            int sub = i > 0 && t[i - 1].type == '(' && k & K_SELECT;
            int stacked = i > 0 && t[i - 1].type == ';';
            int named = v->prose && (i == 0 ? !sub && points < 70 && ph_sql_list(x, t, i + 1) < 2
                : ph_quote(t[i - 1].type) && (ph_quote(t[i + 1].type) || !s->inside[ph_sql_mark(t[i - 1].type)]));
            if (points == 60 && (!starts || named || (i == 0 && v->where == PH_W_HEADER))) {
                points = 30;                              /* a page's search for a statement */
            }
            ph_once(v, PH_S_SQL, &s->seen, Q_SUB, points + (stacked ? 20 : sub && points >= 40 ? 10 : 0),
                sub ? "sub-select" : stacked ? "stacked-statement" : "statement", t[i].at);
        }
        if (k & K_SELECT) {
            for (int j = i + 1; j < i + 30 && t[j].type != TK_END; j++) {
                if (ph_is(x, &t[j], "from") && (t[j + 1].type == TK_WORD || t[j + 1].type == '(')
                    && (ph_sql_ends(&t[j + 2]) || t[j + 2].type == ')' || t[j + 2].type == ',' || t[j + 2].type == '.'
                        || ph_is_any(x, &t[j + 2], "where limit order union group join inner left having"))) {
                    unsigned listed = (unsigned)ph_sql_list(x, t, i + 1);
                    int whole = ph_is(x, &t[j + 2], "where") && (listed == 2 || starts) && (t[j + 3].type == TK_END || ph_sql_judges(x, t, j + 3));
                    whole = whole && (!v->prose || t[j + 3].type == TK_END || ph_sql_known(t, j + 5));
                    ph_once(v, PH_S_SQL, &s->seen, Q_FROM, listed && (i || v->where != PH_W_HEADER) ? whole ? 60 : 30 : 0, "select-from", t[i].at);
                    break;
                }
            }
        }
    }
    if (k & K_SIDE && t[i + 1].type == '(') {
        int plain = ph_is_any(x, &t[i], "sleep benchmark") && ((t[i + 2].type != TK_NUM && t[i + 2].type != '('
            && t[i + 2].type != TK_END) || (v->prose && i && t[i - 1].type == '.'));
        ph_add(v, PH_S_SQL, plain ? 20 : 60, "function-with-effect", t[i].at);
    } else if (k & K_SIDE && ph_at(x->p, x->n, t[i].at, "xp_")) {
        ph_add(v, PH_S_SQL, 60, "stored-procedure", t[i].at);
    } else if (k & K_SIDE && t[i + 1].type == '.' && t[i + 2].type == TK_WORD) {
        int package = ph_at(x->p, x->n, t[i].at, "dbms_") || ph_at(x->p, x->n, t[i].at, "utl_");
        ph_add(v, PH_S_SQL, package ? 60 : 50, "function-with-effect", t[i].at);
    }
    if (k & K_FUNC && t[i + 1].type == '(') {
        if (ph_is_any(x, &t[i], "ascii ord hex") && t[i + 2].kinds & K_FUNC && t[i + 3].type == '(') {
            ph_once(v, PH_S_SQL, &s->seen, Q_NULLS, 60, "letter-of-a-value", t[i].at);
        }
        if (i <= 1 && (i == 0 || t[0].type == '(') && !v->prose && v->where != PH_W_JSON && !ph_is_any(x, &t[i], "if left right values user count position field interval quote")
            && (t[i + 2].type == TK_END || (t[i + 2].type == TK_NUM && ph_at(x->p, x->n, t[i + 2].at, "0x")) || (ph_is_any(x, &t[i], "cast convert")
                && (ph_is(x, &t[i + 3], "as") || t[i + 2].type == '@' || ph_is_any(x, &t[i + 2], "int integer varchar nvarchar numeric char"))))) {
            ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "function-alone", t[i].at);
        }
        int q = Q_FUNC + (s->seen >> Q_FUNC & 1) + (s->seen >> Q_FUNC2 & 1);
        ph_once(v, PH_S_SQL, &s->seen, q, ph_is_any(x, &t[i], "if left right values user count exp") ? 10 : 20,
            "function", t[i].at);
        if (ph_is_any(x, &t[i], "chr char") && t[i + 2].type == TK_NUM && t[i + 3].type == ')') {
            ph_once(v, PH_S_SQL, &s->seen, Q_NULLS, 30, "encoded-string", t[i].at);
        }
        if (ph_is_any(x, &t[i], "version user database schema") && t[i + 2].type == ')') {
            int inside = i > 1 && t[i - 1].type == '(' && t[i - 2].type == TK_WORD && !(t[i - 1].flags & F_SPACE);
            inside |= t[i + 3].type == '|' && t[i + 4].type == '|' && i && t[i - 1].type == '|';
            ph_once(v, PH_S_SQL, &s->seen, Q_NULLS, inside ? 60 : 30, "fingerprint", t[i].at);
        }
    }
    if (k & K_META && (s->seen || t[i + 1].type == '.' || i == 0 || !ph_is_any(x, &t[i], "rdb column_name table_name"))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_META, v->prose && t[i + 1].type != '.' && !s->seen
            && ph_is_any(x, &t[i], "sysusers all_users all_tables user_tables user_objects sqlite_version") ? 30 :
            ph_is_any(x, &t[i], "rdb column_name table_name table_schema") ? 20 : 60, "catalogue", t[i].at);
    }
    if (k & K_CLAUSE && ph_is_any(x, &t[i], "order group") && ph_is(x, &t[i + 1], "by")) {
        int next;
        int what = ph_sql_value(x, t, i + 2, &next);
        if (what == 1 && t[i + 2].type == TK_NUM) {
            int several = t[next].type == ',' && !v->prose;
            while (t[next].type == ',' && next < i + 20) {
                ph_sql_value(x, t, next + 1, &next);
            }
            int bare = t[next].type == TK_END && !starts && !(i && i < 4 && t[i - 1].type == TK_NUM && t[0].type != TK_WORD);
            unsigned points = ph_sql_ends(&t[next]) ? bare && !several ? 50 : 60 : 20;
            ph_once(v, PH_S_SQL, &s->seen, Q_ORDER, points + (t[next].kinds & K_CLAUSE ? 20 : 0), "order-by-number", t[i].at);
        } else if (what == 2) {
            ph_once(v, PH_S_SQL, &s->seen, Q_ORDER, 50, "order-by-expression", t[i].at);
        } else if (what == 3 && (t[next].type == TK_CMT || ph_is_any(x, &t[next], "having"))) {
            ph_once(v, PH_S_SQL, &s->seen, Q_ORDER, 50, "order-by", t[i].at);
        }
    }
    if (k & K_CLAUSE && ph_is_any(x, &t[i], "having where when")) {
        ph_sql_logic(x, t, i, i + 1, s, v);
    } else if (ph_is(x, &t[i], "limit") && t[i + 1].type == TK_NUM && (t[i + 2].type == ',' || ph_is(x, &t[i + 2], "offset")) && t[i + 3].type == TK_NUM) {
        int end = i && !v->prose && ((t[i - 1].type == TK_NUM && i < 3 && t[0].type != TK_WORD) || t[i - 1].type == ')')
            && ph_sql_ends(&t[i + 4]);
        ph_once(v, PH_S_SQL, &s->seen, Q_ORDER, end ? 60 : 20, "limit", t[i].at);
    } else if (i > 1 && t[i - 1].type == ')' && t[i - 2].type == TK_NUM && t[i + 1].type == TK_WORD && (i == 2
               ? ph_is_any(x, &t[i], "from where order group limit") : ph_is(x, &t[i], "from") && ph_is(x, &t[i + 2], "where"))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 60, "bracket-then-clause", t[i].at);
    } else if (k & K_FUNC && ph_is_any(x, &t[i], "if iif elt") && t[i + 1].type == '(' && ph_sql_condition(x, t, i + 2)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "tautology", t[i].at);
    }
    if (ph_is(x, &t[i], "case") && ph_is(x, &t[i + 1], "when")) {
        int k = i + 3;
        while (k < i + 30 && t[k].type != TK_END && !ph_is(x, &t[k], "then")) {
            k++;
        }
        ph_once(v, PH_S_SQL, &s->seen, Q_CASE, ph_is(x, &t[k], "then") ? 60 : 50, "case-when", t[i].at);
    }
    if (ph_is(x, &t[i], "into") && (ph_is_any(x, &t[i + 1], "outfile dumpfile") || (t[i + 1].type == '@' && i
            && t[i + 2].type == TK_WORD && (ph_sql_ends(&t[i + 3]) || (t[i + 3].type == ',' && t[i + 4].type == '@')) && !v->prose
            && (t[i - 1].type == TK_NUM || t[i - 1].type == ')' || t[i - 1].type == ']' || ph_quote(t[i - 1].type))))) {
        ph_add(v, PH_S_SQL, 70, "into-outfile", t[i].at);
    }
    if (ph_is(x, &t[i], "procedure") && ph_is(x, &t[i + 1], "analyse")) {
        ph_add(v, PH_S_SQL, 70, "procedure-analyse", t[i].at);
    }
}

/* One token of the value. */
static void ph_sql_at(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s, ph_verdict *v) {
    uint8_t c = t[i].type;
    int next;
    if (c == TK_WORD) {
        if ((ph_role(x, &t[i]) & (R_CALLED | R_OPERATOR) || t[i].kinds & K_FUNC) && (t[i + 1].type == '(' || t[i + 1].type == '\\')) {
            ph_sql_called(x, t, i, s, v);
        }
        if (t[i].kinds) {
            ph_sql_word(x, t, i, s, v);
        }
    } else if (c == '\'' || c == '"' || c == '`') {
        ph_sql_quote(x, t, i, s, v);
    } else if (c == ')') {
        unsigned points = ph_sql_clause(x, t, i + 1);
        int more, end, what, op = ph_sql_operator(x, t, i + 1);
        int open = i + 1;
        while (open < i + 8 && t[open].type == ')') {
            open++;
        }
        if (i == 1 && t[0].type == TK_NUM && t[open].kinds & K_LOGIC && t[open + 1].type == '(' && !v->prose
                && ph_sql_value(x, t, open + 1, &more) == 1 && ph_sql_ends(&t[more])) {
            ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
        }
        if (i == 0 && op > 1 && t[1].type == TK_WORD && t[op].type == '(' && !v->prose) {
            points = 60;
            ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 60, "bracket-then-clause", t[i].at);
        } else if (op > i + 1 && !v->prose && !memchr("+-*/%~?@#", t[i + 1].type, 9) && (what = ph_sql_sum(x, t, op, &more))
                   && (ph_sql_bases(x, t, op) ? ph_sql_ends(&t[more]) || ph_sql_compare(x, t, more, &end)
                   : what == 1 && ph_sql_compare(x, t, more, &end) && !ph_sql_compare(x, t, i + 1, &end) && ph_sql_value(x, t, end, &more) == 1)) {
            ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "computed-comparison", t[i].at);
        }
        if (i == 2 && t[0].type == '(' && t[1].type == TK_NUM && t[3].kinds & K_LOGIC && t[4].type == '(' && t[5].type == TK_NUM) {
            ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
        }
        if (points >= 60 && t[i + 1].kinds & (K_UNION | K_LOGIC) && !(v->prose && (ph_sql_spoken(x, t, i + 1)
                || !(t[i + 2].type == TK_NUM || ph_quote(t[i + 2].type) || (ph_sql_known(t, i + 1) && ph_sql_judged(x, t, i + 1)))))) {
            ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 50, "bracket-then-clause", t[i].at);
        }
    } else if ((c == '|' || c == '&') && t[i + 1].type == c) {
        if (i == 1 && t[0].type == TK_NUM && t[3].type == TK_NUM && t[4].type == TK_END) {
            ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
        }
        if (i == 0 || (ph_quote(t[i - 1].type) || t[i - 1].type == TK_NUM || ph_sql_value(x, t, i + 2, &next) == 1)) {
            ph_sql_logic(x, t, i, i + 2, s, v);
        }
    } else if (c == ':' && t[i + 1].type == ':' && i && (ph_quote(t[i - 1].type) || t[i - 1].type == ')')
               && ph_is_any(x, &t[i + 2], "json jsonb int text integer varchar numeric bytea regclass bigint smallint boolean bool timestamp uuid "
                   "xml money float float8 int4 int8 char oid inet decimal interval")) {
        ph_once(v, PH_S_SQL, &s->seen, Q_AT, 60, "type-cast", t[i].at);
    } else if (c == '@' && t[i + 1].type == '@' && t[i + 2].type == TK_WORD) {
        ph_once(v, PH_S_SQL, &s->seen, Q_AT, 40, "server-variable", t[i].at);
    } else if (c == ';' && !(t[i + 1].kinds & K_SELECT) && ph_sql_stacked(x, t, i + 1, !i ? 0 : v->prose ? ph_quote(t[i - 1].type) && s->inside[ph_sql_mark(t[i - 1].type)] ? 1 : -1
               : ph_quote(t[i - 1].type) || t[i - 1].type == ')' || t[i - 1].type == ']' ? 2 : t[i - 1].type == TK_NUM)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, 60, "stacked-statement", t[i].at);
    } else if (c == ';' && t[i + 1].kinds & (K_STMT | K_SELECT)) {
        unsigned points = ph_sql_statement(x, t, i + 1);
        if (points >= 20) {
            ph_once(v, PH_S_SQL, &s->seen, Q_BREAK, points >= 40 ? 60 : 50, "stacked-statement", t[i].at);
        }
    } else if (c == TK_NUM || c == TK_CMT) {
        int more, end;
        if (c == TK_NUM) {
            ph_sql_number(x, t, i, s, v);
        }
        if (c == TK_CMT && t[i].flags & F_SPACE && i > 1 && t[i + 1].type == TK_END && s->seen && s->plain) {
            ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 30, "trailing-comment", t[i].at);
        } else if (c == TK_CMT && t[i + 1].type == TK_END && i > 1 && !s->plain && !ph_quote(t[0].type) && (t[i - 1].type == TK_NUM
                   || t[i - 1].type == ')')) {            /* 1 * 1 -- */
            ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 60, "trailing-comment", t[i].at);
        } else if (c == TK_CMT && t[i + 1].type == TK_END && i == 2 && t[0].type == '@' && t[1].kinds & K_FUNC && !(t[1].flags & F_SPACE)) {
            ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 60, "trailing-comment", t[i].at);
        } else if (c == TK_CMT && t[i + 1].type == TK_END && i > 0) {
            int whole = (t[0].type == '(' || t[0].type == TK_NUM) && t[0].at < 8 && !v->prose;
            ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, t[i - 1].type == ')' ? whole ? 60 : 40
                : (t[i - 1].type == TK_NUM && i == 1) || (t[i - 1].type == ';' && i == 2 && t[0].type == TK_NUM)
                || (i == 2 && t[1].kinds & K_CONST && ph_is_any(x, &t[0], "or and xor")) ? 60 : 20, "trailing-comment", t[i].at);
        } else if (c == TK_NUM && (i == 0 || ph_quote(t[i - 1].type)) && ph_sql_compare(x, t, i + 1, &more)
                   && ph_sql_value(x, t, more, &end) == 1 && t[more].type == TK_NUM) {
            int same = i == 0 && t[end].type == TK_END && t[i + 1].type != '!' && t[more].len == t[i].len
                && memcmp(x->p + t[i].at, x->p + t[more].at, t[i].len) == 0;
            ph_once(v, PH_S_SQL, &s->seen, Q_CMP, same && v->where != PH_W_JSON ? 60 : 30, "constant-comparison", t[i].at);
        } else if (c == TK_NUM && i == 0 && ph_is(x, &t[1], "is") && ph_is(x, &t[2 + ph_is(x, &t[2], "not")], "null")) {
            ph_once(v, PH_S_SQL, &s->seen, Q_CMP, 60, "constant-comparison", t[i].at);
        }
    } else if (c == '#' && t[i + 1].type == TK_END && i > 0 && s->seen) {
        ph_once(v, PH_S_SQL, &s->seen, Q_TAIL, 30, "trailing-comment", t[i].at);
    }
}
#endif
