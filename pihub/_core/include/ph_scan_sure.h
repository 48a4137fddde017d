/* Commands whose name, place or argument is enough where what stands around them says little: a name that means nothing else,
 * one value before the separator, a line of its own, an address behind a client of the network.
 */
#ifndef PH_SCAN_SURE_H
#define PH_SCAN_SURE_H

#include "ph_scan_told.h"

static int ph_terse(const ph_lexer *x, const ph_tok *t, int i, int next) {
    return ph_role(x, &t[i]) & R_TERSE && (next == i + 1 || t[i + 1].type == '.');
}

/* One value, no words: a name, a number, an address, a file ends before token `to`. */
static int ph_one_value(const ph_tok *t, int to) {
    for (int k = 1; k <= to && k < 16; k++) {
        if (t[k].flags & F_SPACE) {
            return 0;
        }
    }
    return to < 16;
}

/* Nothing more is said to it: the value's end, a comment's or the next command's beginning. */
static int ph_line_ends(const ph_tok *t, int j) {
    uint8_t c = t[j].type;
    return c == TK_END || c == '#' || ((c == ';' || c == '|' || c == '&' || ph_quote(c)) && t[j + 1].type == TK_END);
}

/* A word or two from token i on, then a line's end that is written out: \necho a\nexit */
static int ph_line_written(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i;
    while (j < i + 4 && t[j].type <= TK_NUM && t[j].type != TK_END && (j > i || t[j].flags & F_SPACE)) {
        j++;
    }
    const ph_tok *b = &t[j + 1];
    return j > i && t[j].type == '\\' && b->type == TK_WORD && !((t[j].flags | b->flags) & F_SPACE)
        && (x->p[b->at] == 'n' || x->p[b->at] == 'r');
}

/* {cat,/etc/x}: the braces of a whole command; `next`: the first comma. */
static int ph_whole_braces(const ph_tok *t, int i, int next) {
    int j = next;
    while (j < next + 16 && t[j].type != '}' && t[j].type != TK_END && !(t[j].flags & F_SPACE)) {
        j++;
    }
    return i && t[i - 1].type == '{' && t[next].type == ',' && t[j].type == '}' && j > next + 1;
}

/* "wait ;id", "wait;;id", "wait||id", a new line: no sentence has a space before its semicolon, or none behind its marks. */
static int ph_odd_mark(const ph_tok *t, int i, int from, int sep) {
    int tight = !(t[i].flags & F_SPACE);
    return sep == '\n' || (sep == ';' && (tight || t[from - 1].flags & F_SPACE)) || ((sep == '|' || sep == '+') && (tight || t[from - 1].flags & F_SPACE));
}

/* The command at i, behind a separator at from - 1, is one whatever its argument is. */
static int ph_sure(const ph_lexer *x, const ph_tok *t, int i, int from, int next, int sep, uint32_t kinds, int hidden, const ph_verdict *v) {
    int shape = ph_argument(x, t, next), spaced = t[next].flags & F_SPACE, terse = ph_terse(x, t, i, next);
    int number = t[next].type == TK_NUM && ph_everyday(x, &t[i], kinds);
    if (v->prose && v->where == PH_W_QUERY && sep && from) {
        int odd = ph_odd_mark(t, i, from, sep);           /* a sentence's own marks are set otherwise */
        return odd && (terse || hidden > 1 ? shape || (spaced && sep != '\n') : sep != '\n' && ((shape == 2 && spaced && !number)
            || (shape == 1 && ph_line_ends(t, next) && !ph_everyday(x, &t[i], kinds))));
    }
    if (!sep || v->prose || v->where == PH_W_HEADER || v->where == PH_W_JSON || v->where == PH_W_PATH) {
        return 0;
    }
    if (sep != '\n' && !(sep == '&' && t[from].flags & F_SPACE) && ((spaced && ph_is(x, &t[i], "sleep") && ph_digit(x->p[t[next].at]))
            || (next < i + 4 && ph_whole_braces(t, i, next)))) {
        return 1;
    }
    if (sep == '\n') {                                    /* in a form, a text's lines may hold anything */
        int line = i && (v->where != PH_W_FORM || from < 12) && !(t[next].flags & F_LINE);
        return line && (hidden > 1 || terse ? shape || spaced : shape == 3 || (shape == 2 && (spaced || kinds & K_TOOL) && !number));
    }
    if (hidden) {
        return shape || (hidden > 1 && spaced);
    }
    if (sep == '&' && t[i].flags & F_SPACE) {
        return 0;                                         /* sed & awk */
    }
    if (terse && (spaced || (shape && sep != '&'))) {
        return 1;
    }
    return (sep == ';' || sep == '&') && shape >= 2 && spaced && !number && ph_one_value(t, from - 1);
}

/* curl host.org/x, traceroute 10.0.0.1, telnet host.org 23: a client of the network and an address, and that is all; sleep 5. */
static int ph_net_line(const ph_lexer *x, const ph_tok *t, int next) {
    int j = next + 1, dots = 0;
    if (ph_is_any(x, &t[0], "sleep usleep timeout")) {
        return next == 1 && ((t[1].type == TK_NUM && t[2].type == TK_END) || (t[1].type == '/' && ph_is(x, &t[2], "t") && t[3].type == TK_NUM
            && t[4].type == TK_END));
    }
    if (!ph_is_any(x, &t[0], "curl wget nslookup telnet scp sftp tftp ncat netcat traceroute tracert")) {
        return 0;
    }
    if (!(t[next].flags & F_SPACE) || (t[next].type != TK_WORD && t[next].type != TK_NUM)) {
        return 0;
    }
    if (t[next].type == TK_NUM) {
        for (uint32_t k = 0; k < t[next].len && k < 16; k++) {
            dots += x->p[t[next].at + k] == '.';
        }
        dots = dots == 3;
    }
    for (; j < next + 12 && (t[j].type == TK_WORD || t[j].type == TK_NUM || t[j].type == '.' || t[j].type == '-' || t[j].type == '@')
         && !(t[j].flags & F_SPACE); j++) {
        dots += t[j].type == '.' || t[j].type == '@';
    }
    return dots && (t[j].type == TK_END || (t[j].type == '/' && !(t[j].flags & F_SPACE)) || (t[j].type == TK_NUM && t[j + 1].type == TK_END));
}

/* netstat -an meaning: options, words, and what a search asks about a command last. */
static int ph_asked_about(const ph_lexer *x, const ph_tok *t, int next) {
    int j = next;
    while (j < next + 12 && (t[j].type == TK_WORD || (t[j].type == '-' && t[j].flags & F_SPACE))) {
        j++;
    }
    return t[j].type == TK_END && j > next + 2 && t[j - 1].flags & F_SPACE && ph_is_any(x, &t[j - 1], "meaning means mean explained explanation "
        "example examples tutorial usage syntax equivalent cheatsheet command option options flag flags vs");
}

/* Net view, net user: what a program of Windows is told to do, and that is all. */
static int ph_windows_short(const ph_lexer *x, const ph_tok *t, int next) {
    return t[next].flags & F_SPACE && t[next + 1].type == TK_END && ((ph_is(x, &t[0], "net") && ph_is_any(x, &t[next],
        "view user users localgroup accounts")) || (ph_is(x, &t[0], "sc") && ph_is_any(x, &t[next], "query queryex"))
        || (ph_is(x, &t[0], "route") && ph_is(x, &t[next], "print")));
}

/* A backtick closes what began before `next`, and the value ends there. */
static int ph_ends_ticked(const ph_tok *t, int next) {
    int j = next;
    while (j < next + 12 && t[j].type != '`' && t[j].type != TK_END) {
        j++;
    }
    return t[j].type == '`' && (t[j + 1].type == TK_END || (ph_quote(t[j + 1].type) && t[j + 2].type == TK_END));
}

/* <(id), >(sh x): a process whose end is read or written as a file; i: the bracket's mark. */
static int ph_process_file(const ph_lexer *x, const ph_tok *t, int i) {
    int next, hidden;
    if (t[i + 1].type != '(' || t[i + 1].flags & F_SPACE) {
        return 0;
    }
    uint32_t k = ph_command(x, t, i + 2, &next, &hidden);
    int shape = k ? ph_argument(x, t, next) : 0;
    return k && (hidden || k & K_TOOL || ph_terse(x, t, i + 2, next) || t[i + 2].type == '/' || shape == 3 || (shape == 2 && t[next].flags & F_SPACE)
        || (i && (t[i - 1].type == '.' || t[i - 1].kinds & (K_CMD | K_TOOL))));
}
#endif
