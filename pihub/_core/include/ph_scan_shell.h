/* Command injection: a separator, then a command's name (quotes, backslashes and empty variables
 * taken out), then something shaped like its argument. A word after ; alone is no command: user
 * agents and matrix parameters are full of them.
 */
#ifndef PH_SCAN_SHELL_H
#define PH_SCAN_SHELL_H

#include "ph_scan_lex.h"

enum { C_RUN, C_SUBST, C_IFS, C_TICK, C_PATH, C_WORD, C_WIN };

/* The command that begins at token i, across quotes and backslashes. *next: after it. */
static uint32_t ph_command(const ph_lexer *x, const ph_tok *t, int i, int *next, int *hidden) {
    char name[32];
    size_t m = 0;
    int j = i, words = 0;
    *hidden = 0;
    while (j < i + 8 && (t[j].type == '/' || t[j].type == '.' || (t[j].type == TK_WORD && t[j + 1].type == '/'
            && !(t[j + 1].flags & F_SPACE)))) {          /* /usr/bin/ */
        j++;
    }
    for (; j < i + 16; j++) {
        if (j > i && t[j].flags & F_SPACE && m) {
            break;
        }
        if (t[j].type == '`' && m && t[j + 1].type != '`') {
            break;                                        /* ends the substitution */
        }
        if (t[j].type == '\\' && m && t[j + 1].len == 1 && ph_is_any(x, &t[j + 1], "n r")) {
            break;                                        /* a line's end, written out */
        }
        if (t[j].type == '.' && m && ph_is_any(x, &t[j + 1], "exe com bat cmd")) {
            j++;
            continue;
        }
        if (t[j].type == TK_WORD || (t[j].type == TK_NUM && m)) {
            if (m + t[j].len >= sizeof name) {
                return 0;
            }
            memcpy(name + m, x->p + t[j].at, t[j].len);
            m += t[j].len;
            words++;
        } else if (ph_quote(t[j].type) || t[j].type == '\\' || t[j].type == '^') {
            if (m && (t[j + 1].flags & F_SPACE || t[j + 1].type == TK_END)) {
                break;
            }
            *hidden |= words > 0 && t[j + 1].type == TK_WORD;
        } else if (t[j].type == '$' && (t[j + 1].type == '@' || t[j + 1].type == '*') && m) {
            j++;
            *hidden = 1;
        } else {
            break;
        }
    }
    *next = j;
    if (!m) {
        return 0;
    }
    uint32_t h = PH_WORD_SEED;
    for (size_t k = 0; k < m; k++) {
        h = ph_word_step(h, (uint8_t)name[k]);
    }
    *hidden &= words > 1;
    return ph_word_kinds(x->words, (const uint8_t *)name, m, h) & (K_CMD | K_TOOL);
}

/* What stands after a command: 3 only a command line has it, 2 likely, 1 nothing, 0 prose. */
static int ph_argument(const ph_lexer *x, const ph_tok *t, int j) {
    const ph_tok *a = &t[j];
    if (a->type == TK_END || a->type == '#') {
        return 1;
    }
    if (a->type == '\\' && ph_is_any(x, &t[j + 1], "n r")) {
        return 1;
    }
    if (a->type == '%' && a->flags & F_SPACE && t[j + 1].type == TK_WORD && t[j + 2].type == '%') {
        return 3;                                         /* %SYSTEMROOT% */
    }
    if (a->type == '-' && a->flags & F_SPACE && !(t[j + 1].flags & F_SPACE)) {
        return t[j + 1].type == TK_WORD || t[j + 1].type == '-' || t[j + 1].type == TK_NUM ? 3 : 2;
    }
    if (a->type == TK_CMT && a->flags & F_SPACE && t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)) {
        return 3;
    }
    if (a->type == '/' || a->type == '~' || (a->type == '.' && (t[j + 1].type == '/' || t[j + 1].type == '.'))) {
        return a->flags & F_SPACE && (t[j + 1].type != TK_END) ? 3 : 2;
    }
    if (a->type == '$' || a->type == '`' || a->type == '|' || a->type == '>' || a->type == '<') {
        return 3;
    }
    if (a->type == ';' || a->type == '&' || ph_quote(a->type) || a->type == ')' || a->type == '}') {
        return 2;
    }
    if (a->type == '%' || a->type == '*' || a->type == '\\') {
        return 2;
    }
    if (a->type == TK_NUM && a->flags & F_SPACE) {
        return 2;
    }
    if (a->type == TK_WORD && a->flags & F_SPACE) {
        uint8_t n = t[j + 1].type;
        if (n == ':' && a->len == 1) {
            return 3;                                     /* c: */
        }
        if (n == ':' && t[j + 2].type == '/' && t[j + 3].type == '/') {
            return 3;                                     /* curl https:// */
        }
        if ((n == '.' || n == '/' || n == '@') && !(t[j + 1].flags & F_SPACE) && t[j + 2].type == TK_WORD
            && !(t[j + 2].flags & F_SPACE)) {
            return 2;
        }
        return n == TK_END || n == '|' || n == ';' || n == '&' || n == '`' || n == '$' || n == '>' ? 1 : 0;
    }
    if (a->type == '(' && t[j + 1].kinds & K_TOOL) {
        return 3;                                         /* iex (iwr */
    }
    return a->type == '(' ? 0 : a->flags & F_LINE ? 1 : 0;
}

/* Token i may begin a command. `sep`: what made it possible, 0 the value's own beginning. */
static void ph_shell_run(const ph_lexer *x, const ph_tok *t, int i, int sep, uint64_t *seen, ph_verdict *v) {
    int next, hidden;
    uint32_t k = ph_command(x, t, i, &next, &hidden);
    if (!k) {       /* an unknown word with options, after a separator */
        if (sep == ';' && v->where != PH_W_HEADER && i < 4 && next == i + 1 && ph_argument(x, t, next) == 3
            && (t[next].type == TK_CMT || t[next].type == '-')) {
            ph_once(v, PH_S_SHELL, seen, C_RUN, 60, "command", t[i].at);
        }
        return;
    }
    if (sep == 0 && v->where == PH_W_PATH) {
        return;
    }
    int tool = (k & K_TOOL) != 0, shape = ph_argument(x, t, next), path = t[i].type == '/';
    unsigned points = 0;
    if (hidden && shape) {
        points = 60;
    } else if (sep == 0) {
        points = tool ? shape == 3 || (t[next].type == ';' && !(t[next].flags & F_SPACE)) || t[next].kinds & K_TOOL ? 60
            : shape == 2 ? 40 : path ? 60 : 0
            : path ? shape ? 60 : 40 : shape == 3 ? 60 : 0;
        if (!tool && !path && ph_is_any(x, &t[i], "time test env more find head print set for if true false read cut last "
                                        "start move copy w at") && points < 60) {
            points = 0;
        }
        if (t[next].type == ';' && t[next + 1].type == TK_END && ph_is_any(x, &t[i], "id ls ps pwd dir")) {
            points = 60;
        }
    } else if (sep == ';' || sep == '&' || sep == '\n') {
        int loud = t[next].flags & F_SPACE || t[i].type == '/' || shape == 1 || t[next].type == '$' || t[next].type == ';';
        points = tool ? shape ? 60 : 30 : shape == 3 ? 60 : shape == 2 && loud ? 50 : shape == 1 ? 40 : 0;
        if (sep == '\n' && points) {
            points = v->where == PH_W_JSON && shape < 3 ? 0 : points - 10;
        }
        uint8_t before = i > 1 ? t[i - 2].type : 0;       /* of the separator */
        if (points >= 40 && points < 60 && (i < 2 || path || ph_quote(before) || before == ')'
            || (i < 3 && t[next].type != ';' && t[next].type != TK_WORD))) {
            points = 60;
        }
    } else {                                              /* | || && $( ` */
        points = shape >= 2 || tool || path ? 60 : shape == 1 ? 60 : 20;
    }
    if (v->where == PH_W_HEADER && (sep == ';' || sep == 0) && points < 70) {
        points = shape == 3 && !hidden ? points : hidden ? 60 : 0;
        if (sep == ';' && shape == 3 && !tool && !path) {
            points = 30;
        }
    }
    if (points < 60 && sep && sep != '\n' && ph_is(x, &t[i], "net") && ph_is_any(x, &t[i + 1], "user localgroup group view share "
            "start stop use config accounts session")) {
        points = 60;
    }
    if (sep == '`' && v->where == PH_W_JSON && points > 30) {
        points = 30;                                      /* code in a text that is set as code */
    }
    if (points) {
        ph_once(v, PH_S_SHELL, seen, sep == 0 ? C_WORD : C_RUN, points, "command", t[i].at);
    }
}

/* if A EQU B: cmd.exe's comparisons, which no prose has. */
static int ph_windows_if(const ph_lexer *x, const ph_tok *t) {
    int marks = 0;
    for (int j = 1; j < 12 && t[j].type != TK_END; j++) {
        if (ph_is_any(x, &t[j], "neq equ gtr geq lss leq")) {
            return 1;
        }
        marks |= t[j].type == '[' || t[j].type == '(' || t[j].type == '%' || ph_quote(t[j].type);
        if (t[j].type == '=' && t[j + 1].type == '=' && marks) {
            return 1;
        }
    }
    return 0;
}

static void ph_shell(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    if (t[i].flags & F_FIRST) {
        int line = c == '\\' && ph_is_any(x, &t[i + 1], "n r");
        ph_shell_run(x, t, line ? i + 2 : i, line ? '\n' : 0, seen, v);
    } else if (t[i].flags & F_LINE) {
        ph_shell_run(x, t, i, '\n', seen, v);
    }
    switch (c) {
    case ';':
        ph_shell_run(x, t, i + 1, ';', seen, v);
        break;
    case '&':
        ph_shell_run(x, t, d == '&' ? i + 2 : i + 1, d == '&' ? '+' : '&', seen, v);
        break;
    case '|':
        ph_shell_run(x, t, d == '|' ? i + 2 : i + 1, '|', seen, v);
        break;
    case '`':
        if (d == TK_WORD || d == '/') {
            ph_shell_run(x, t, i + 1, '`', seen, v);
        }
        break;
    case '\'': case '"': case ')': case '=': case ',': case '{':
        if (c == '{' && d == ',' && t[i + 2].kinds & (K_CMD | K_TOOL) && t[i + 3].type == ',') {
            ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "brace-expansion", t[i].at);
        } else if (d == TK_WORD && t[i + 1].kinds & (K_CMD | K_TOOL) && i < 4) {
            int next, hidden;
            ph_command(x, t, i + 1, &next, &hidden);
            if (ph_argument(x, t, next) == 3 || (c == '{' && t[next].type == ',')) {
                ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command", t[i].at);
            } else if (c == '\'' && t[i + 1].kinds & K_TOOL && ph_quote(t[next].type)) {
                ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command", t[i].at);
            }
        }
        break;
    case '$':
        if (d == '[' && t[i + 2].type == TK_NUM && t[i + 3].type > TK_CMT && t[i + 4].type == TK_NUM) {
            ph_once(v, PH_S_SHELL, seen, C_SUBST, 60, "arithmetic", t[i].at);
        } else if (d == '(' && !(t[i + 1].flags & F_SPACE)) {
            if (t[i + 2].type == '(' && (t[i + 3].type == TK_NUM || t[i + 3].type == '$' || t[i + 3].type == '(')) {
                ph_once(v, PH_S_SHELL, seen, C_SUBST, 60, "substitution", t[i].at);
            }
            ph_shell_run(x, t, i + 2, '$', seen, v);
        } else if ((d == '{' ? ph_is(x, &t[i + 2], "ifs") : ph_is(x, &t[i + 1], "ifs"))) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 60, "field-separator", t[i].at);
        } else if (d == '{' && t[i + 2].type == '#' && t[i + 3].type == TK_WORD) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 50, "expansion", t[i].at);
        } else if (d == '@' && i && t[i - 1].type == TK_WORD && !(t[i].flags & F_SPACE)) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 40, "expansion", t[i].at);
        }
        break;
    case '(':
        if (d == ')' && t[i + 2].type == '{') {
            int code = t[i + 3].type == ':' || t[i + 3].type == '_';
            ph_once(v, PH_S_SHELL, seen, C_SUBST, code ? 80 : i == 0 ? 60 : 10, "function-export", t[i].at);
        }
        break;
    case '/':
        if (ph_is(x, &t[i + 1], "dev") && t[i + 2].type == '/' && ph_is_any(x, &t[i + 3], "tcp udp")) {
            ph_once(v, PH_S_SHELL, seen, C_PATH, 80, "network-device", t[i].at);
        } else if (ph_is(x, &t[i + 1], "bin") && t[i + 2].type == '/' && v->where != PH_W_PATH) {
            int next, hidden;
            if (ph_command(x, t, i, &next, &hidden)) {
                ph_once(v, PH_S_SHELL, seen, C_PATH, 60, "program", t[i].at);
            }
        }
        break;
    case TK_WORD:
        if (t[i].kinds & (K_CMD | K_TOOL)) {
            if (ph_is(x, &t[i], "cmd") && ((d == '/' && ph_is_any(x, &t[i + 2], "c k r"))
                    || (d == '.' && ph_is(x, &t[i + 2], "exe")))) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "windows-shell", t[i].at);
            } else if (ph_is_any(x, &t[i], "powershell pwsh") && (d == '-' || d == '.')) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "powershell", t[i].at);
            } else if (ph_is(x, &t[i], "if") && i == 0 && (ph_is_any(x, &t[i + 1 + ph_is(x, &t[i + 1], "not")],
                       "exist cmdextversion errorlevel defined") || (t[i + 2].type == '=' && t[i + 3].type == '=')
                       || (d == '"' && t[i + 2].type == '%') || (d == '/' && ph_is(x, &t[i + 2], "i")))) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "windows-shell", t[i].at);
            } else if (ph_is(x, &t[i], "if") && i == 0 && ph_windows_if(x, t)) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "windows-shell", t[i].at);
            } else if (ph_is(x, &t[i], "alias") && i == 0 && d == TK_WORD && t[i + 2].type == '=') {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "shell", t[i].at);
            } else if (ph_is(x, &t[i], "time") && i == 0 && d == ';') {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "shell", t[i].at);
            } else if (ph_is(x, &t[i], "for") && (d == '/' || d == '%') && t[i + 1].flags & F_SPACE) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "windows-shell", t[i].at);
            } else if (ph_is_any(x, &t[i], "bash sh") && d == '-' && ph_is_any(x, &t[i + 2], "c i")) {
                ph_once(v, PH_S_SHELL, seen, C_RUN, 60, "shell", t[i].at);
            } else if (i && (t[i - 1].type == '=' || (i > 1 && t[i - 1].type == ':' && t[i - 2].type == TK_WORD))) {
                int next, hidden;
                ph_command(x, t, i, &next, &hidden);
                if (ph_argument(x, t, next) == 3 && t[next].flags & F_SPACE && t[next].type != '<' && t[next].type != '>') {
                    ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command", t[i].at);
                }
            }
        }
        break;
    }
}
#endif
