/* Functions and numbers that an injection begins with, and conditions inside of one; ph_scan_sql.h includes it. */
#ifndef PH_SCAN_SQL_CALLS_H
#define PH_SCAN_SQL_CALLS_H

/* A function at i: cut off where its arguments begin, or with arguments that only an attack gives it. Documentation is
 * searched for `sum(` too, so names that other languages share do not count. */
static void ph_sql_called(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s, ph_verdict *v) {
    static const char spoken[] = "sum max min avg format replace round date time day hour minute second month year quarter week right left "
        "trim log ln sin cos tan abs sqrt random rank repeat space json contains exists extract point total sign ceil ceiling floor "
        "power pow pi position distance translate area char count exp rand reverse user values version field interval quote length len "
        "substring substr decode encode compress lower upper overlay mod if";
    int open = i + 1 + (t[i + 1].type == '\\');
    if (v->where == PH_W_JSON || t[open].type != '(') {
        return;
    }
    if (t[open + 1].type == TK_END ? (i == 0 || (v->prose && !(t[open].flags & F_SPACE))) && !ph_is_listed(x, &t[i], spoken)
            : i == 0 && !v->prose && ph_is(x, &t[i], "div") && t[open + 1].type == TK_NUM && t[open + 2].type == ',') {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "function-alone", t[i].at);
    } else if (t[open + 1].type == TK_NUM && t[open + 2].type == '/' && t[open + 3].type == TK_NUM && x->p[t[open + 3].at] == '0'
               && t[open + 4].type == ')') {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "division-by-zero", t[i].at);
    } else if (t[i].kinds & K_FUNC && ph_at(x->p, x->n, t[open + 1].at, "0x") && ph_at(x->p, x->n, t[i].at, "concat")) {
        ph_once(v, PH_S_SQL, &s->seen, Q_NULLS, 60, "encoded-string", t[i].at);
    }
}

/* What stands first in an if(...): two constants compared, or what only SQL asks. A formula of a sheet has a cell there. */
static int ph_sql_condition(const ph_lexer *x, const ph_tok *t, int i) {
    int next, more, end;
    if (t[i].kinds & K_FUNC
            ? ph_is_any(x, &t[i], "ifnull isnull nullif coalesce strcmp substr substring ascii ord version user database schema")
            : ph_is_any(x, &t[i], "greatest least length char_length exists")) {
        return t[i + 1].type == '(';
    }
    if (t[i].type == TK_NUM && t[i + 1].type == '=' && t[i + 2].type == TK_END) {
        return 1;
    }
    if ((ph_role(x, &t[i]) & R_BARE || (t[i].kinds & K_FUNC && ph_is_any(x, &t[i], "current_user session_user system_user")))
            && ph_sql_compare(x, t, i + 1, &more)) {
        return 1;
    }
    int a = ph_sql_value(x, t, i, &next), op = a == 1 ? ph_sql_operator(x, t, next) : 0;
    return a == 1 && (t[next].type == ',' ? t[i].type == TK_WORD && ph_is(x, &t[i], "not") && t[i + 1].kinds & K_CONST
        : op > next && ph_sql_value(x, t, op, &more) == 1 && (t[more].type == ',' || (ph_sql_compare(x, t, more, &end) && t[end].type == TK_NUM)));
}

/* At i something is compared with a constant, or with what only SQL computes. */
static int ph_sql_judges(const ph_lexer *x, const ph_tok *t, int i) {
    int next, more, end, what = ph_sql_value(x, t, i, &next);
    if (!what || !ph_sql_compare(x, t, next, &more)) {
        return 0;
    }
    int with = ph_sql_value(x, t, more, &end);
    return with == 1 || (with == 2 && (ph_sql_known(t, more) || ph_role(x, &t[more]) & R_CALLED));
}

/* A number that the value begins with, or that follows a quote. */
static void ph_sql_number(const ph_lexer *x, const ph_tok *t, int i, ph_sql *s, ph_verdict *v) {
    int next, more, end, op = ph_sql_operator(x, t, i + 1);
    if (t[i + 1].type == '.' && ph_is(x, &t[i + 2], "e") && !(t[i + 2].flags & F_SPACE) && (t[i + 3].type == '('
            || (s->quotes && t[i + 3].type == '.' && t[i + 4].type == TK_WORD && !(t[i + 4].flags & F_SPACE)))) {
        ph_once(v, PH_S_SQL, &s->seen, Q_OPS, 60, "number-as-noise", t[i].at);    /* 1.e( is ( to MySQL */
    }
    if (op == i + 1 || i > 1 || (i && t[0].type != '-' && t[0].type != '.') || v->prose || v->where == PH_W_JSON) {
        return;
    }
    int what = ph_sql_value(x, t, op, &next), session = ph_role(x, &t[op]) & R_BARE || (t[op].kinds & K_FUNC
        && ph_is_any(x, &t[op], "user version database schema current_user session_user system_user last_insert_id"))
        || (t[op].type == '@' && t[op + 1].type == '@') || ph_is_any(x, &t[op], "db_name host_name user_name suser_name");
    uint8_t first = t[i + 1].type;
    int named = first == TK_WORD || first == '|' || first == '&' || first == '^';
    if ((what == 2 || what == 4) && (session || (named && ph_sql_bases(x, t, op))) && (ph_sql_ends(&t[next]) || named)) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "function-condition", t[i].at);
    } else if (what == 2 && op == i + 2 && t[op].kinds & K_FUNC && t[op + 1].type == '(' && ph_quote(t[op + 2].type) && ph_sql_ends(&t[next])
               && ph_is_any(x, &t[op], "ord ascii hex char chr conv length char_length substring substr mid bin unhex crc32")) {
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "function-condition", t[i].at);    /* 1 - ascii('a'): a letter as a number */
    } else if (what == 1 && named && first != '^' && !ph_is_any(x, &t[i + 1], "and or xor div mod") && ((t[op].kinds & K_CONST && ph_is(x, &t[op - 1], "not") && !ph_is(x, &t[i + 1], "is")) || (ph_sql_compare(x, t, next, &more)
               && ph_sql_value(x, t, more, &end) == 1))) {       /* 7 mod 5 = 2, 6^2 = 36 are sums */
        ph_once(v, PH_S_SQL, &s->seen, Q_LOGIC, 60, "constant-condition", t[i].at);
    }
}

/* A filter takes a keyword out of a text once: seselectlect becomes select. */
static void ph_sql_wrapped(const ph_lexer *x, const ph_tok *t, int i, ph_verdict *v) {
    const char *word = t[i].len == 12 ? "select" : "union";
    size_t len = t[i].len / 2;
    const uint8_t *p = x->p + t[i].at;
    if (t[i].type != TK_WORD || t[i].word || len != strlen(word) || t[i].len & 1) {
        return;
    }
    for (size_t k = 1; k < len; k++) {
        if (memcmp(p, word, k) == 0 && memcmp(p + k, word, len) == 0 && memcmp(p + k + len, word + k, len - k) == 0) {
            ph_add(v, PH_S_SQL, 60, "keyword-in-itself", t[i].at);
        }
    }
}
#endif
