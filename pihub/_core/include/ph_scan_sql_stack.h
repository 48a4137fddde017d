/* Statements behind a semicolon, as MySQL, PostgreSQL, SQL Server, Oracle and SQLite know them; ph_scan_sql.h includes it. */
#ifndef PH_SCAN_SQL_STACK_H
#define PH_SCAN_SQL_STACK_H

/* The statement's first word, by whose first letter they are in order, and the second ones that make it sure: `.` any word, then SQL's end; `!` the end itself;
 * `(` a call, with or without a name. */
static const char *const ph_sql_pairs[][2] = {
    {"alter", "system session user role login server type domain event tablespace package sequence index view authorization "
        "profile operator aggregate assembly availability resource default foreign materialized policy publication subscription"},
    {"analyze", "table"}, {"attach", "database"}, {"backup", "database log"}, {"bulk", "insert"}, {"call", "("},
    {"change", "master replication"}, {"checkpoint", "!"}, {"checksum", "table"}, {"cluster", "."}, {"comment", "on"}, {"commit", "!"},
    {"create", "or temp temporary unique aggregate language type domain event server tablespace package synonym directory library "
        "java assembly credential certificate endpoint rule cast operator publication subscription context external foreign "
        "materialized virtual fulltext spatial clustered nonclustered global local public bitmap if cursor resource"},
    {"dbcc", "."}, {"deallocate", "prepare all"}, {"delimiter", "!"}, {"deny", "all select execute control"}, {"desc", "."}, {"describe", "."},
    {"detach", "database"}, {"discard", "all plans temp temporary sequences"}, {"do", "("},
    {"drop", "owned package synonym type event server assembly aggregate language if materialized temporary profile"},
    {"explain", "select analyze update delete insert query plan extended format"},
    {"flush", "tables privileges logs status hosts table"}, {"handler", ". open read close"}, {"if", "("}, {"import", "foreign table"},
    {"install", "plugin component soname"}, {"kill", "query connection"}, {"listen", "."}, {"lock", "tables table instance"},
    {"merge", "into"}, {"notify", "."}, {"open", "."}, {"optimize", "table"}, {"perform", "("}, {"pragma", "."}, {"prepare", "."},
    {"purge", "binary master recyclebin"}, {"raiserror", "("}, {"reassign", "owned"}, {"refresh", "materialized"},
    {"reindex", "."}, {"release", "savepoint"}, {"rename", "table user column"}, {"repair", "table"}, {"replace", "into"},
    {"reset", "master slave query replica persist all role"}, {"restore", "database log"}, {"revert", "!"}, {"rollback", "!"},
    {"savepoint", "."}, {"security", "label"}, {"set", "global session role password transaction local names autocommit identity_insert"},
    {"show", "databases tables columns variables grants processlist schemas triggers full create binary master slave session "
        "global status engines warnings errors index plugins"},
    {"signal", "sqlstate"}, {"start", "transaction slave replica group_replication"}, {"table", "."}, {"uninstall", "plugin component"},
    {"unlisten", "."}, {"unlock", "tables instance"}, {"use", "."}, {"vacuum", "!"}, {"values", "("}, {"while", "("},
    {"xa", "start begin end prepare commit rollback recover"},
};

/* After a semicolon: statements that are no words of prose together. `sure`: 2 behind a quote or bracket, 1
 * behind a number, -1 in a sentence. */
static int ph_sql_stacked(const ph_lexer *x, const ph_tok *t, int i, int sure) {
    const ph_tok *b = &t[i + 1], *c = &t[i + 2];
    if (t[i].type != TK_WORD) {
        return 0;
    }
    int call = b->type == '(' ? !(b->flags & F_SPACE) || sure > 0 : b->type == TK_WORD && (c->type == '(' || c->type == '.') && !(c->flags & F_SPACE);
    switch (x->p[t[i].at]) {
    case 'b':
        if (ph_is(x, &t[i], "begin")) {                   /* a block: begin x.y, begin drop ... end */
            return (b->kinds & (K_STMT | K_SELECT) && sure > 0) || (call && b->type == TK_WORD) || (ph_is(x, b, "tran") && ph_sql_ends(c));
        }
        break;
    case 'd':
        if (ph_is(x, &t[i], "declare")) {
            return b->type == '@' || (b->type == TK_WORD && ph_is_any(x, c, "cursor int integer varchar varchar2 char nvarchar number numeric text record insensitive scroll no exception constant"));
        }
        if (ph_is(x, &t[i], "do") && ph_is(x, b, "language")) {
            return c->type == TK_WORD;
        }
        if (ph_is(x, &t[i], "do") && b->type == '$') {
            return c->type == '$' || t[i + 3].type == '$';
        }
        break;
    case 'e':
        if (ph_is_any(x, &t[i], "execute exec")) {        /* a prepared one */
            return ph_is(x, b, "immediate") || (sure > 0 && b->type == TK_WORD && ph_sql_ends(c) && c->type != TK_END);
        }
        break;
    case 'i': case 'w':
        if (ph_is_any(x, &t[i], "if while")) {
            return b->type == '(' ? c->kinds & K_SELECT || (c->type == TK_NUM && t[i + 3].type == '=' && t[i + 4].type != '=') || ph_is_any(x, c, "not exists")
                : ph_is_any(x, b, "exists not") ? ph_is(x, c, "exists") || c->type == '(' : b->type == TK_NUM && c->type == '=';
        }
        if (ph_is(x, &t[i], "with")) {
            return b->type == TK_WORD && ph_is(x, c, "as") && t[i + 3].type == '(';
        }
        break;
    case 'k':
        if (ph_is(x, &t[i], "kill") && b->type == TK_NUM) {
            return ph_sql_ends(c);
        }
        break;
    case 's':
        if (ph_is(x, &t[i], "set") && b->type == '@') {
            return c->type == TK_WORD || c->type == '@';
        }
        break;
    }
    const size_t pairs = sizeof ph_sql_pairs / sizeof *ph_sql_pairs;
    uint8_t letter = x->p[t[i].at];
    size_t k = 0;
    _Static_assert(sizeof ph_sql_pairs / sizeof *ph_sql_pairs < 128, "more than the steps below reach");
    for (size_t step = 64; step; step /= 2) {               /* to the first pair of that letter */
        k += k + step <= pairs && (uint8_t)*ph_sql_pairs[k + step - 1][0] < letter ? step : 0;
    }
    for (; k < pairs && (uint8_t)*ph_sql_pairs[k][0] == letter; k++) {
        const char *first = ph_sql_pairs[k][0], *second = ph_sql_pairs[k][1];
        if (!ph_is(x, &t[i], first)) {
            continue;
        }
        switch (*second) {
        case '!': return ph_sql_ends(b) && (sure > 0 || b->type != TK_END);
        case '(': return call && (sure > 0 || !ph_is_any(x, &t[i], "do perform"));
        case '.':
            if (b->type != TK_WORD && !ph_quote(b->type)) {
                return 0;
            }
            if (ph_is_any(x, &t[i], "dbcc handler prepare pragma")) {
                return c->type == '=' || c->type == '(' || ph_is_any(x, c, "from as open read close")
                    || (ph_sql_ends(c) && (sure > 0 || c->type != TK_END || ph_is(x, &t[i], "pragma"))) || ph_is(x, &t[i], "dbcc");
            }
            if (ph_is(x, &t[i], "use") && ph_is_any(x, b, "mysql master msdb information_schema postgres")) {
                return 1;
            }
            return ph_sql_ends(c) && (sure == 2 || (sure >= 0 && c->type == TK_CMT) || (sure == 1 && c->type != TK_END));
        default: return ph_is_listed(x, b, second);
        }
    }
    return 0;
}
#endif
