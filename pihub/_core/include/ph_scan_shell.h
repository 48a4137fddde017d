/* Command injection: a separator, then a command's name (quotes, backslashes and empty variables
 * taken out), then something shaped like its argument. A word after ; alone is no command: user
 * agents and matrix parameters are full of them.
 */
#ifndef PH_SCAN_SHELL_H
#define PH_SCAN_SHELL_H

#include "ph_scan_sure.h"
#include "ph_scan_windows.h"

enum { C_RUN, C_SUBST, C_IFS, C_TICK, C_PATH, C_WORD, C_WIN };

/* Token i may begin a command. `sep`: what made it possible, 0 the value's own beginning. */
static void ph_shell_run(const ph_lexer *x, const ph_tok *t, int i, int sep, uint64_t *seen, ph_verdict *v) {
    int next, hidden, from = i;
    while (sep && sep != '`' && sep != '\n' && i < from + 3 && (t[i].type == '(' || t[i].type == '{' || t[i].type == '!')
           && t[i + 1].type != '(') {
        i++;                                              /* a group, a negation */
    }
    if (sep && sep != '&' && !v->prose && t[i].type == TK_WORD && t[i + 1].type == '=' && !((t[i + 1].flags | t[i + 2].flags) & F_SPACE)
        && (t[i + 2].type == TK_WORD || t[i + 2].type == TK_NUM) && t[i + 3].flags & F_SPACE && t[i + 3].kinds & (K_CMD | K_TOOL)) {
        i += 3;                                           /* LANG=C cat */
    }
    uint32_t k = ph_command(x, t, i, &next, &hidden);
    if (!k && ph_is(x, &t[i], "apt") && t[i + 1].type == '-' && ph_is_any(x, &t[i + 2], "get cache key")) {
        k = K_TOOL;
        next = i + 3;
    } else if (k && ph_is(x, &t[i], "apt") && t[i + 1].type == '-' && ph_is_any(x, &t[i + 2], "get cache key")) {
        next = i + 3;
    }
    if ((!k || next == i + 1) && (sep || (i == 0 && (ph_noun(x, &t[2]) || ph_cmdlet_line(x, t, i)))) && ph_cmdlet(x, t, i)) {
        k = K_CMD;
        next = i + 3;
    }
    if (!k) {
        unsigned points = !v->prose && v->where != PH_W_PATH && ph_braced(x, t, i) ? 60 : sep ? ph_unknown_command(x, t, i, next, sep, v) : 0;
        if (points) {
            ph_once(v, PH_S_SHELL, seen, C_RUN, points, "command", t[i].at);
        }
        return;
    }
    if (sep == 0 && v->where == PH_W_PATH) {
        return;
    }
    int tool = (k & K_TOOL) != 0, shape = ph_argument(x, t, next), path = t[i].type == '/' || (i == 0 && t[1].type == '/' && ph_is_any(x, &t[0], "bin sbin"));
    unsigned points = 0;
    if (hidden && shape) {
        points = 60;
    } else if (sep == 0) {
        points = tool ? shape == 3 || (t[next].type == ';' && !(t[next].flags & F_SPACE)) || t[next].kinds & K_TOOL ? 60
            : shape == 2 ? 40 : path ? 60 : 0
            : path ? shape ? 60 : 40 : shape == 3 ? 60 : 0;
        if (!tool && !path && ph_is_any(x, &t[i], "time test env more find head print set for if true false read cut last free java "
                                        "start move copy w at") && points < 60) {
            points = 0;
        }
        if (!tool && !path && t[next].type == '/' && t[next + 1].len > 2 && t[next + 2].type == TK_END && !ph_is_any(x, &t[next + 1],
                "etc bin sbin usr var tmp dev proc root home opt lib sys boot mnt srv run")) {
            points = 0;                                   /* cat /dog */
        }
        if (!tool && !path && t[next].type == '/' && t[next + 1].type == TK_WORD && t[next + 1].flags & F_SPACE) {
            points = 0;                                   /* find / replace */
        }
        if (!tool && points == 60 && t[next].type == '-' && t[next + 1].type == TK_NUM && !ph_is_any(x, &t[i], "kill head tail")) {
            points = 0;                                   /* top -10 */
        }
        if (i == 0 && t[1].type == '-' && ((ph_noun(x, &t[2]) && !v->prose) || ph_cmdlet_line(x, t, i))) {
            points = 60;                                  /* Get-Process */
        }
        if (t[next].type == ';' && t[next + 1].type == TK_END && ph_is_any(x, &t[i], "id ls ps pwd dir")) {
            points = 60;
        }
        if (i == 0 && next < 10 && v->where == PH_W_QUERY && points < 60 && (ph_net_line(x, t, next) || ph_windows_short(x, t, next))) {
            points = 60;
        } else if (i == 0 && next < 10 && points && ph_asked_about(x, t, next)) {
            points = 0;
        }
    } else if (sep == ';' || sep == '&' || sep == '\n') {
        int loud = t[next].flags & F_SPACE || t[i].type == '/' || (ph_quote(t[i].type) && ph_quote(t[next].type) && t[next + 1].type == TK_END) || shape == 1 || t[next].type == '$' || t[next].type == ';'
            || i > from;
        points = tool ? shape ? 60 : 30 : shape == 3 ? 60 : shape == 2 && loud ? 50 : shape == 1 ? 40 : 0;
        if (sep == '\n' && points && i && from < 12 && !v->prose && v->where != PH_W_JSON && ph_line_ends(t, next) && ph_is_any(x, &t[i],
                "id whoami ls dir pwd env ps who uname ifconfig ipconfig netstat set hostname df uptime")) {
            points = 60;                                  /* 127.0.0.1, then a command on a line of its own */
        } else if (sep == '\n' && points && i) {
            points = v->where == PH_W_JSON && shape < 3 ? 0 : path && i > 1 && t[i - 2].type == '\\' ? 60 : points - 10;
        } else if (sep == ';' && points < 60 && ((ph_is(x, &t[i], "sleep") && t[next].type == TK_NUM)
                   || (!shape && (tool || from < 2) && (from < 2 || ph_quote(t[from - 2].type)) && t[next].flags & F_SPACE))) {
            points = 60;
        }
        uint8_t before = from > 1 ? t[from - 2].type : 0; /* of the separator */
        if (points >= 40 && points < 60 && (from < 2 || path || ph_quote(before) || before == ')'
            || (i < 3 && t[next].type != ';' && t[next].type != TK_WORD))) {
            points = 60;
        }
        if (points >= 40 && points < 60 && sep == ';' && shape == 1 && !(k & K_SPOKEN) && ((v->prose && (t[next].type == TK_END
                || (t[next].type == '\\' && t[next + 2].type == TK_END))) || t[next + 1].type == ';')) {
            points = 60;                                  /* ;cd etc;comm passwd */
        }
        if (!points && sep == ';' && (from < 2 || ph_quote(t[from - 2].type)) && ph_shell_keyword(x, t, i)) {
            points = 60;
        }
    } else if (k & K_SPOKEN && !hidden && !path && shape < 3 && from > 1 + (sep == '+' || sep == '$') && !ph_quote(t[from - 2].type)) {
        points = sep == '$' ? 40 : 20;                    /* name|date */
    } else {                                              /* | || && $( ` */
        points = shape >= 2 || tool || path ? 60 : shape == 1 ? 60 : 20;
    }
    int sure = (points < 60 || v->prose) && ph_sure(x, t, i, from, next, sep, k, hidden, v);
    points = sure ? 60 : points;
    if (v->where == PH_W_HEADER && (sep == ';' || sep == 0) && points < 70) {
        points = shape == 3 && !hidden ? points : hidden ? 60 : 0;
        if (sep == ';' && shape == 3 && !tool && !path) {
            points = 30;
        }
    }
    if (points < 60 && sep && (sep != '\n' || (!v->prose && v->where == PH_W_QUERY)) && (sep != '`' || tool) && (tool || !v->prose || ph_is_any(x, &t[i], "net sc reg")) && ph_subcommand(x, t, i, next)) {
        points = 60;
    }
    if (points < 60 && sep == ';' && t[next].type == TK_END && from > 2 && v->where != PH_W_HEADER && ph_is_any(x, &t[i], "id whoami ls pwd ps env uname dir")
        && (t[from - 2].type == TK_NUM || t[from - 3].type == '.')) {
        points = 60;                                      /* a.jpg;id */
    }
    if (points < 60 && sep && ph_is(x, &t[i], "trap") && ph_quote(t[next].type) && t[next].flags & F_SPACE) {
        points = 60;
    }
    if (sep == '`' && v->where == PH_W_JSON && points > 30) {
        points = 30;                                      /* code in a text that is set as code */
    }
    if (v->prose && points > 30 && ((!sep && !path) || (t[next].type == '`' && sep != '`') || t[next].type == '='
            || (!ph_shell_keyword(x, t, i) && !(sep == '`' && from > 1 && ph_quote(t[from - 2].type))
            && ph_is_any(x, &t[i], "if then else for while do until true false time test where")))) {
        points = 30;                                      /* If -t is given, ...; then `x` must ... */
    } else if (v->prose && sep && points > 30 && !sure) {
        int tight = sep != '|' || hidden || from < 2 || ph_quote(t[from - 2].type) || t[from - 2].type == ')' || t[from - 1].flags & F_SPACE || t[from].flags & F_SPACE || shape == 3;
        int name = sep == '$' && shape == 2 && t[next].type == ')' && !tool && !ph_is_any(x, &t[i], "id ls pwd") && !(t[next + 1].type == TK_END
            && v->where == PH_W_QUERY);
        int opens = from > 1 && ph_quote(t[from - 2].type) ? from - 2 : from - 1;
        int last = (i < 2 || t[i - 2].type != '`') && ((tool && t[next].type == '`' && t[next + 1].type == TK_END)
            || (sep == '`' && v->where == PH_W_QUERY && next < i + 10 && !ph_introduced(x, t, opens) && ph_ends_ticked(t, next)));
        if ((sep == '`' && !last && !(from > 1 && (t[from - 2].type <= TK_NUM || memchr("{$=;|&", t[from - 2].type, 6)) && !(t[from - 1].flags & F_SPACE))
             && ph_quoted_code(x, t, i)) || !tight || name || (sep == '\n' && shape < 3 && !hidden && !(path && i > 1 && t[i - 2].type == '\\'))) {
            points = 30;
        }
    }
    if (sep == '`' && from > 1 && t[from - 2].type == '`' && t[from - 2].at + 1 == t[from - 1].at && points > 30) {
        points = 30;                                      /* ``code``, ```code```: of a markup language */
    }
    if (points > 30 && ph_listed(x, t, i, next, sep, k)) {
        points = 20;                                      /* grab & go, date|time */
    }
    if (points) {
        ph_once(v, PH_S_SHELL, seen, sep == 0 ? C_WORD : C_RUN, points, "command", t[i].at);
    }
}

/* x='...', ..='...': what an alias stands for. */
static int ph_alias_text(const ph_tok *t, int i) {
    int j = i;
    while (j < i + 6 && t[j].type != '=' && t[j].type != TK_END && (j == i || !(t[j].flags & F_SPACE))) {
        j++;
    }
    return j > i && t[j].type == '=' && !(t[j].flags & F_SPACE) && ph_quote(t[j + 1].type) && !(t[j + 1].flags & F_SPACE);
}

/* /b?n/c?t: a file's name that the shell must guess. */
static int ph_wild_path(const ph_tok *t, int i) {
    uint8_t before = i ? t[i - 1].type : ';';
    int wild = 0, slashes = 0;
    if (before != ';' && before != '|' && before != '&' && before != '`' && before != '(' && !(t[i].flags & F_SPACE)) {
        return 0;
    }
    for (int j = i; j < i + 20 && (j == i || !(t[j].flags & F_SPACE)); j++) {
        uint8_t c = t[j].type;
        if (c == '?' || c == '*') {
            wild += c == '?' && (t[j + 1].type == TK_WORD || t[j + 1].type == '/' || t[j + 1].type == '?') && !(t[j + 1].flags & F_SPACE);
        } else if (c == '/') {
            slashes++;
        } else if (c != TK_WORD && c != TK_NUM && c != '[' && c != ']') {
            break;
        }
    }
    return slashes >= 2 && wild >= 2;
}

static void ph_shell(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    if (t[i].flags & F_FIRST) {
        int line = c == '\\' && ph_is_any(x, &t[i + 1], "n r");
        /* \nid, written out */
        if (c == '\\' && d == TK_WORD && !t[i + 1].kinds && (x->p[t[i + 1].at] == 'n' || x->p[t[i + 1].at] == 'r')) {
            if (t[i + 1].len < 32 && ph_word_kinds(x->words, x->p + t[i + 1].at + 1, t[i + 1].len - 1) & (K_CMD | K_TOOL)
                && t[i + 2].type != TK_END && (ph_argument(x, t, i + 2) || ph_line_written(x, t, i + 2))) {
                ph_once(v, PH_S_SHELL, seen, C_RUN, 60, "command", t[i].at);
            }
        }
        ph_shell_run(x, t, line ? i + 2 : i, line || t[i].flags & F_LINE ? '\n' : 0, seen, v);
        if (c == '>' && (d == '/' || (d == '>' && t[i + 2].type == '/')) && v->where != PH_W_JSON) {
            ph_once(v, PH_S_SHELL, seen, C_PATH, 60, "redirection", t[i].at);
        }
    } else if (t[i].flags & F_LINE) {
        ph_shell_run(x, t, i, '\n', seen, v);
    } else if (c == '\\' && t[i + 1].len == 1 && ph_is_any(x, &t[i + 1], "n r") && t[i + 2].type == '/') {
        ph_shell_run(x, t, i + 2, '\n', seen, v);         /* a line's end, written out, and a program's path */
    }
    if (c == '\\' && (v->prose ? v->where == PH_W_QUERY && t[i].flags & F_SPACE && t[i + 2].type == TK_END && !ph_introduced(x, t, i)
            : i == 0 && v->where != PH_W_PATH && (t[2].type == TK_END || ph_argument(x, t, 2) == 3))
        && ph_is_any(x, &t[i + 1], "ls cat id ps pwd rm wget curl whoami uname nc bash sh grep")) {
        ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command", t[i].at);        /* \ls: not its alias */
    }
    switch (c) {
    case ';':
        ph_shell_run(x, t, i + 1, ';', seen, v);
        break;
    case '&':
        ph_shell_run(x, t, d == '&' ? i + 2 : i + 1, d == '&' ? '+' : '&', seen, v);
        break;
    case '|':
        ph_shell_run(x, t, d == '|' || (d == '+' && t[i + 2].type == TK_WORD) ? i + 2 : i + 1, '|', seen, v);
        break;
    case '`':                                             /* in a sentence, a space after it says that it closes */
        if (d == TK_WORD || d == '/' ? !(v->prose && t[i + 1].flags & F_SPACE) : !v->prose && !(t[i + 1].flags & F_SPACE) && memchr("\\'\"$.", d, 5)) {
            ph_shell_run(x, t, i + 1, '`', seen, v);
        }
        break;
    case '\'': case '"': case ')': case '=': case ',': case '{':
        if (c == '{' && v->prose && v->where == PH_W_QUERY && (t[i].flags & F_SPACE ? ph_braced(x, t, i) : i && t[i - 1].flags & F_SPACE && ph_braced(x, t, i - 1))) {
            ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "brace-expansion", t[i].at);
        } else if (c == '{' && d == ',' && t[i + 2].kinds & (K_CMD | K_TOOL) && (t[i + 3].type == ',' || (t[i + 3].type == '}' && t[i + 2].kinds & K_TOOL))) {
            ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "brace-expansion", t[i].at);
        } else if (d == TK_WORD && t[i + 1].kinds & (K_CMD | K_TOOL) && i < 4) {
            int next, hidden;
            ph_command(x, t, i + 1, &next, &hidden);
            if (v->prose && (c == ',' || ph_closed(t, i))) {
                break;                                    /* "mv -f" rather than "mv" */
            }
            if ((ph_argument(x, t, next) == 3 && !(v->prose && t[next].type == '`')) || (c == '{' && t[next].type == ',')) {
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
            if ((t[i + 2].type == '(' && (t[i + 3].type == TK_NUM || t[i + 3].type == '$' || t[i + 3].type == '('))
                || (t[i + 2].type == '<' && !v->prose && (t[i + 3].type == TK_WORD || t[i + 3].type == '/'))) {
                ph_once(v, PH_S_SHELL, seen, C_SUBST, 60, "substitution", t[i].at);
            }
            ph_shell_run(x, t, i + 2, '$', seen, v);
        } else if ((d == '{' ? ph_is(x, &t[i + 2], "ifs") : ph_is(x, &t[i + 1], "ifs"))) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 60, "field-separator", t[i].at);
        } else if (d == '{' && t[i + 2].type == '#' && t[i + 3].type == TK_WORD) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 50, "expansion", t[i].at);
        } else if (d == '\'' && !v->prose && v->where != PH_W_JSON && v->where != PH_W_PATH && ph_numbered(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_SUBST, 60, "escaped-name", t[i].at);
        } else if (ph_powershell_variable(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_WIN, v->prose || v->where == PH_W_JSON ? 30 : 60, "powershell", t[i].at);
        } else if (d == '@' && i && t[i - 1].type == TK_WORD && !(t[i].flags & F_SPACE)) {
            ph_once(v, PH_S_SHELL, seen, C_IFS, 40, "expansion", t[i].at);
        }
        break;
    case '<': case '>':
        if (c == '>' && d == '&' && i > 1 && !v->prose && v->where != PH_W_JSON && t[0].kinds & (K_CMD | K_TOOL) && t[i - 1].type == TK_NUM && t[i + 2].type == TK_NUM
            && !((t[i].flags | t[i + 1].flags | t[i + 2].flags) & F_SPACE)) {
            ph_once(v, PH_S_SHELL, seen, C_PATH, 60, "redirection", t[i].at);       /* sh x 2>&1 */
        } else if (v->where != PH_W_PATH && !v->prose && ph_process_file(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_SUBST, v->where == PH_W_JSON ? 30 : 60, "substitution", t[i].at);
        }
        break;
    case '^':
        if (ph_escaped_name(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "escaped-name", t[i].at);
        }
        break;
    case '[':
        if ((d = (uint8_t)ph_net_member(t, i)) != 0) {
            ph_once(v, PH_S_SHELL, seen, C_WIN, d == 1 && v->prose ? 30 : v->where == PH_W_JSON ? 40 : 60, "net-member", t[i].at);
        }
        break;
    case '%':
        if (v->where != PH_W_PATH && ph_windows_variable(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_WIN, v->prose && t[i + 2].type == '%' ? 30 : 60, "windows-variable", t[i].at);
        }
        break;
    case '(':
        if (d == ')' && t[i + 2].type == '{') {
            int code = t[i + 3].type == ':' || t[i + 3].type == '_';
            ph_once(v, PH_S_SHELL, seen, C_SUBST, code ? 80 : i == 0 ? 60 : 10, "function-export", t[i].at);
        }
        break;
    case '/':
        if (v->prose && i > 1 && t[i - 1].flags & F_SPACE && !ph_introduced(x, t, i - 1) && ph_last_program(x, t, i - 1)) {
            ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command-line", t[i - 1].at);
        }
        if (ph_wild_path(t, i) || ((i == 0 || t[i].flags & F_SPACE || memchr(";|&`(", t[i - 1].type, 5)) && ph_wild_root(x, t, i))) {
            ph_once(v, PH_S_SHELL, seen, C_PATH, 60, "wildcard-path", t[i].at);
        } else if (ph_is(x, &t[i + 1], "dev") && t[i + 2].type == '/' && ph_is_any(x, &t[i + 3], "tcp udp")) {
            ph_once(v, PH_S_SHELL, seen, C_PATH, 80, "network-device", t[i].at);
        } else if (ph_is_any(x, &t[i + 1], "bin sbin") && t[i + 2].type == '/' && v->where != PH_W_PATH) {
            int next, hidden, set = t[i + 3].type == '[' && t[i + 4].len == 1 && t[i + 5].type == ']' && t[i + 6].type == TK_WORD && !(t[i + 6].flags & F_SPACE);
            if (set || (ph_command(x, t, i, &next, &hidden) && !(v->prose && ph_mentioned(x, t, next)))) {
                ph_once(v, PH_S_SHELL, seen, C_PATH, 60, "program", t[i].at);
            }
        }
        break;
    case TK_WORD:
        if (v->prose && t[i].flags & F_SPACE && !ph_introduced(x, t, i) && ph_last_program(x, t, i)) {
            ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command-line", t[i].at);
        }
        if (t[i].kinds & (K_CMD | K_TOOL)) {
            if (i > 2 && ph_quote(t[i - 1].type) && !(v->prose && i < 4) && ph_run_call(x, t, i - 1)) {
                ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "call", t[i].at);
            }
            if (v->prose && i && t[i].flags & F_SPACE && !(t[i].kinds & K_SPOKEN)) {
                int next, hidden;
                if (ph_command(x, t, i, &next, &hidden) && (t[next].type == '-' || t[next].type == TK_CMT) && ph_line_told(x, t, next, t[i].kinds & K_TOOL && !ph_introduced(x, t, i))) {
                    ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command-line", t[i].at);
                }
            }
            if (ph_windows_word(x, t, i, v->prose)) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "windows-shell", t[i].at);
            } else if (ph_is_any(x, &t[i], "powershell pwsh") && (d == '-' || d == '.')) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "powershell", t[i].at);
            } else if (ph_is(x, &t[i], "alias") && (ph_alias_line(x, t, i, v->prose) || ph_alias_text(t, i + 1))) {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "shell", t[i].at);
            } else if (ph_is(x, &t[i], "time") && i == 0 && d == ';') {
                ph_once(v, PH_S_SHELL, seen, C_WIN, 60, "shell", t[i].at);
            } else if ((i == 0 || (v->prose && t[i].flags & F_SPACE)) && (ph_windows_line(x, t, i) || ph_inline_program(x, t, i, v->prose))) {
                ph_once(v, PH_S_SHELL, seen, C_WORD, v->where == PH_W_PATH ? 0 : 60, "command-line", t[i].at);
            } else if (ph_is_any(x, &t[i], "bash sh") && d == '-' && !(v->prose && i && ph_quote(t[i - 1].type)) && ph_is_any(x, &t[i + 2], "c i")) {
                ph_once(v, PH_S_SHELL, seen, C_RUN, 60, "shell", t[i].at);
            } else if (i && ((t[i - 1].type == '=' && !(i > 2 && (t[i - 3].type == '-' || t[i - 3].type == TK_CMT))) || (i > 1 && t[i - 1].type == ':' && t[i - 2].type == TK_WORD))) {
                int next, hidden;
                ph_command(x, t, i, &next, &hidden);
                if (ph_argument(x, t, next) == 3 && t[next].flags & F_SPACE && t[next].type != '<' && t[next].type != '>'
                    && !(v->prose && (t[i - 1].type == ':' || t[next].type == '`'))) {
                    ph_once(v, PH_S_SHELL, seen, C_WORD, 60, "command", t[i].at);
                }
            }
        }
        break;
    }
}
#endif
